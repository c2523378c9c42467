"""A cluster at Kamatera (https://www.kamatera.com): one server with k3s, or by choice their Kubernetes service (beta).

Nobody has tried it with an account yet. What is known of the API is read in what Kamatera publishes:

- https://github.com/Kamatera/terraform-provider-kamatera (August 2025): `kamatera/request.go`, `dto.go`,
  `resource_server.go`, `resource_network.go`: addresses, headers, fields of requests, the queue, errors.
- https://github.com/cloudwm/cloudcli-server (October 2024): what answers at cloudcli.cloudwm.com:
  `cli_schema/commands/`, `app/Cloudcli/ProxyServerHttpPostMethods.php`.
  A name is a regular expression there; without a password and with an ssh key the server gets a password that nobody
  knows; an error of a GET can have the status 200 and `errors`.
- https://github.com/Kamatera/kamateratoolbox (January 2026): `tests/cloudcli_server/`, `tests/common.py`: answers as
  they are.
- https://github.com/Kamatera/cloudcli-server-kubernetes (April 2025): all of `/k8s/…`: `web.py`, `common.py`,
  `lib/cluster.py`, `lib/node.py`, `lib/cnf.py`, and in `config.py` the size and the image of their nodes.
- https://github.com/Kamatera/kamatera-rke2-controller (July 2026): `internal/controller/kamatera_request.go`: retries.

None of them asks what a server would cost: `info` tells the price of one that exists.
"""
