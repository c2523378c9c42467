"""The limits and intervals of Kamatera's clusters, together, each with its reason."""

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0  # their own client waits 5 minutes; making a server took 20 seconds
TRIES, FIRST_PAUSE_SECONDS = 4, 1.0  # of what only reads, as their own client does it; pauses double
MAX_ANSWER_BYTES = 16 * 2**20  # the options of all datacenters have some hundred KB
MAX_KUBECONFIG_BYTES = 2**20  # k3s writes 3 KB
SSH_SECONDS = 20.0  # to connect and to read two files
QUEUE_SECONDS = 2400.0  # that a command may wait and take; their Terraform provider gives it as long
# That all may take until a server is a cluster: the queue, and the script, which downloads 80 MB and starts k3s.
SERVER_SECONDS = 4200.0
SERVICE_SECONDS = 5400.0  # that their Kubernetes service may take: it gives each server an hour
TASK_SECONDS, TASK_POLL_SECONDS = 60.0, 1.0  # that a task which only reads is waited for
TERMINATE_SECONDS, TERMINATE_POLL_SECONDS = 180.0, 2.0  # that the end of a server is waited for
