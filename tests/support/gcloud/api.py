"""The calls of Google's APIs that `dppctl init gcloud` makes through the gcloud CLI, stateful and on loopback.

What comes in and what goes out is checked against Google's published descriptions: discovery.py. Google's own errors
are of https://cloud.google.com/apis/design/errors.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from tests.support.gcloud.discovery import check

Json = dict[str, Any]


class GoogleApi:
    """Clusters, buckets and service accounts of one project, by name; tests read and change them."""

    def __init__(self, project: str = "dppctl") -> None:
        self.project = project
        self.clusters: dict[str, Json] = {}
        self.buckets: dict[str, Json] = {}
        self.accounts: dict[str, Json] = {}
        self.policies: dict[str, Json] = {}  # of buckets and accounts, by name
        self.calls: list[str] = []
        self.url = ""
        self.endpoint: Json = {}  # what a cluster has once it is ready

    def environment(self, folder: str) -> dict[str, str]:
        """Return the variables by which gcloud uses this; `folder`: its configuration."""
        apis = ("CONTAINER", "STORAGE", "IAM", "SERVICEUSAGE", "CLOUDRESOURCEMANAGER")
        urls = {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": f"{self.url}/" for api in apis}
        urls["CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"] = f"{self.url}/storage/v1/"
        return {**urls, "CLOUDSDK_CONFIG": folder, "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true"}

    @contextmanager
    def serving(self) -> Iterator["GoogleApi"]:
        """Serve it on loopback as long as the block."""
        server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _app(self) -> Flask:
        app = Flask("google")
        cluster = "/v1/projects/<project>/locations/<place>/clusters"
        account = "/v1/projects/<project>/serviceAccounts"
        bucket = "/storage/v1/b"
        routes = [
            ("GET", "/v1/projects/<project>/services/<service>", self._service),
            ("GET", cluster, self._list_clusters),
            ("POST", cluster, self._create_cluster),
            ("GET", f"{cluster}/<name>", self._get_cluster),
            ("DELETE", f"{cluster}/<name>", self._delete_cluster),
            ("POST", account, self._create_account),
            ("DELETE", f"{account}/<name>", self._delete_account),
            ("POST", f"{account}/<name>:getIamPolicy", self._policy),
            ("POST", f"{account}/<name>:setIamPolicy", self._set_policy),
            ("POST", bucket, self._create_bucket),
            ("GET", f"{bucket}/<name>", self._get_bucket),
            ("PATCH", f"{bucket}/<name>", self._patch_bucket),
            ("GET", f"{bucket}/<name>/iam", self._policy),
            ("PUT", f"{bucket}/<name>/iam", self._set_policy),
        ]
        for method, path, answer in routes:
            app.add_url_rule(path, f"{method} {path}", self._called(answer), methods=[method])

        @app.errorhandler(HTTPException)
        def unknown(error: HTTPException) -> tuple[Json, int]:
            self.calls.append(f"unknown: {request.method} {request.path}")
            return _error(error.code or 500, error.description or "")

        return app

    def _called(self, answer: Callable[..., Json | tuple[Json, int]]) -> Callable[..., Json | tuple[Json, int]]:
        def call(**named: str) -> Json | tuple[Json, int]:
            self.calls.append(f"{request.method} {request.path}")
            named.pop("project", None)
            named.pop("place", None)
            return answer(**named)

        return call

    def _service(self, service: str) -> Json:
        return check("serviceusage", "GoogleApiServiceusageV1Service", {"name": service, "state": "ENABLED"})

    def _list_clusters(self) -> Json:
        return check("container", "ListClustersResponse", {"clusters": list(self.clusters.values())})

    def _create_cluster(self) -> Json:
        asked = check("container", "CreateClusterRequest", request.get_json())["cluster"]
        self.clusters[asked["name"]] = {**asked, "status": "PROVISIONING"}
        return self._operation("CREATE_CLUSTER", asked["name"])

    def _get_cluster(self, name: str) -> Json | tuple[Json, int]:
        if found := self.clusters.get(name):
            return check("container", "Cluster", found)
        return _error(404, f"Not found: projects/{self.project}/locations/-/clusters/{name}.")

    def _delete_cluster(self, name: str) -> Json:
        del self.clusters[name]
        return self._operation("DELETE_CLUSTER", name)

    def _operation(self, kind: str, name: str) -> Json:
        link = f"https://container.googleapis.com/v1/projects/{self.project}/locations/us-central1-a/clusters/{name}"
        found = {"name": "operation-1", "operationType": kind, "status": "RUNNING", "targetLink": link}
        return check("container", "Operation", found)

    def _create_account(self) -> Json | tuple[Json, int]:
        asked = check("iam", "CreateServiceAccountRequest", request.get_json())
        email = f"{asked['accountId']}@{self.project}.iam.gserviceaccount.com"
        if email in self.accounts:
            return _error(409, f"Service account {asked['accountId']} already exists within project {self.project}.")
        found = {"name": f"projects/{self.project}/serviceAccounts/{email}", "email": email, **asked["serviceAccount"]}
        self.accounts[email] = found
        return check("iam", "ServiceAccount", found)

    def _delete_account(self, name: str) -> Json | tuple[Json, int]:
        if self.accounts.pop(name, None):
            return {}
        return _error(404, f"Unknown service account {name}")

    def _policy(self, name: str) -> Json:
        return self._is_policy(self.policies.get(name, {"bindings": [], "etag": "BwY="}))

    def _set_policy(self, name: str) -> Json:
        body = request.get_json()
        if request.method == "POST":
            body = check("iam", "SetIamPolicyRequest", body)["policy"]
        self.policies[name] = self._is_policy(body)
        return self.policies[name]

    def _is_policy(self, found: Json) -> Json:
        return check("storage" if request.path.startswith("/storage") else "iam", "Policy", found)

    def _create_bucket(self) -> Json | tuple[Json, int]:
        asked = check("storage", "Bucket", request.get_json())
        if asked["name"] in self.buckets:
            return _error(409, "Your previous request to create the named bucket succeeded and you already own it.")
        self.buckets[asked["name"]] = asked
        return asked

    def _get_bucket(self, name: str) -> Json | tuple[Json, int]:
        if found := self.buckets.get(name):
            return found
        return _error(404, "The specified bucket does not exist.")

    def _patch_bucket(self, name: str) -> Json:
        self.buckets[name] |= check("storage", "Bucket", request.get_json())
        return self.buckets[name]


def _error(code: int, message: str) -> tuple[Json, int]:
    words = {404: "NOT_FOUND", 409: "ALREADY_EXISTS"}
    return {"error": {"code": code, "message": message, "status": words.get(code, "INTERNAL")}}, code
