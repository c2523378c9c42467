"""The chart of dppctl's servers on a real API server, and what its ServiceAccounts may do there."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import kubernetes

from tests.support.helm import helm, kubectl


@dataclass(frozen=True)
class Installed:
    """`own`: where dppctl is; `data`: an environment's; `builds`: BuildKit's; `other`: somebody else's."""

    kubeconfig: str
    name: str
    authorization: kubernetes.client.AuthorizationV1Api

    def __getattr__(self, part: str) -> str:
        return f"{self.name}-{part}"

    def kubectl(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(kubectl()), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    def helm(self, *arguments: str, given: str = "") -> str:
        command = [str(helm()), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.own}", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kubeconfig_of(self, account: str, folder: Path) -> Path:
        """To be that account."""
        token = self.kubectl("create", "token", f"dppctl-{account}", "--namespace", self.own).stdout.strip()
        assert token
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "-o", "json").stdout)
        config["users"][0]["user"] = {"token": token}
        path = folder / f"kubeconfig-{account}"
        path.touch(0o600)
        path.write_text(json.dumps(config))
        return path

    def may(self, account: str, namespace: str, *what: str) -> bool:
        """`what`: a verb and a resource, perhaps with its part: `create`, `pods`, `exec`."""
        verb, resource, *part = what
        kind, _, group = resource.partition(".")
        asked = {"namespace": namespace, "verb": verb, "group": group, "resource": kind}
        accounts = "system:serviceaccounts"
        spec = {
            "user": f"system:serviceaccount:{self.own}:dppctl-{account}",
            "groups": [accounts, f"{accounts}:{self.own}", "system:authenticated"],
            "resourceAttributes": {**asked, **({"subresource": part[0]} if part else {})},
        }
        answer = self.authorization.create_subject_access_review({"spec": spec}).status
        assert not answer.evaluation_error, answer
        return bool(answer.allowed)
