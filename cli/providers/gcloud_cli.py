"""Runs the gcloud CLI, and says in one line what it refuses and which command mends that.

It is the person's own gcloud: their login, their configuration. https://cloud.google.com/sdk/gcloud/reference
"""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bot import process
from bot.program_environment import CLUSTER, listed_environment
from cli.errors import InputError
from cli.limits import GCLOUD_SECONDS

_API = re.compile(r"\b([a-z]+\.googleapis\.com)\b")
_ACCOUNT = re.compile(r"^\s*(?:WARNING|INFO|To |For |If |See |Please|\$)")


class GcloudError(InputError):
    """gcloud refused; the message says in one line what, and what to do."""


class NotFoundError(GcloudError):
    """What was asked for is not there."""


class ExistsError(GcloudError):
    """What was to be made is there."""


class Gcloud:
    """The gcloud CLI, for one project."""

    def __init__(self, project: str) -> None:
        self.project = project

    def ask(self, *arguments: str) -> Any:
        """Return what a command answers, as plain values; None: nothing. Raises GcloudError and NotFoundError."""
        out = self.run(*arguments, "--format=json")
        try:
            return json.loads(out) if out.strip() else None
        except ValueError:
            raise GcloudError(f"gcloud {_name(arguments)}: what it answers is no JSON") from None

    def credentials(self, cluster: str, location: str) -> dict[str, Any]:
        """Return the entries of a kubeconfig file by which a cluster is reached, by kind. Raises GcloudError."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "kubeconfig")
            at = (f"--location={location}", f"--project={self.project}")
            run_gcloud("container", "clusters", "get-credentials", cluster, *at, more={"KUBECONFIG": str(file)})
            found = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        name = found["current-context"]
        cluster_entry, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        return {"clusters": cluster_entry, "contexts": {"cluster": name, "user": name}, "users": user}

    def run(self, *arguments: str) -> str:
        """Run a command of this project, and return what it prints. Raises GcloudError and NotFoundError."""
        project = [f"--project={self.project}"] if self.project else []
        return run_gcloud(*arguments, *project)


def run_gcloud(*arguments: str, more: Mapping[str, str] | None = None) -> str:
    """Run gcloud and return what it prints; it asks nobody. `more`: variables. Raises GcloudError, with what to do."""
    check_installed("gcloud", "https://cloud.google.com/sdk/docs/install")
    environment = listed_environment(*CLUSTER) | {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1", **(more or {})}
    try:
        ended = process.run(
            ["gcloud", *arguments, "--quiet"], environment=environment, seconds=GCLOUD_SECONDS, separate=True
        )
    except process.TimeLimitError:
        raise GcloudError(f"gcloud {_name(arguments)} did not end within {GCLOUD_SECONDS:g} seconds") from None
    if ended.code == 0:
        return ended.out
    raise refusal(ended.text or ended.out, arguments)


def check_installed(program: str, how: str) -> None:
    """Raise InputError, with how to get it, where a program is not on the PATH."""
    if shutil.which(program) is None:
        raise InputError(f"{program} is not on the PATH; how to get it: {how}")


def refusal(said: str, arguments: tuple[str, ...]) -> GcloudError:
    """Return the error for what gcloud says on stderr. Pure.

    Its words are those of https://cloud.google.com/apis/design/errors (google.rpc.Code, google.api.ErrorInfo).
    """
    project = next((part.partition("=")[2] for part in arguments if part.startswith("--project=")), "PROJECT")
    text = " ".join(said.split())
    lower = text.lower()
    what = _last(said)
    if "gcloud auth login" in lower or "reauthentication" in lower or "invalid_grant" in lower:
        return GcloudError("nobody is logged in to Google Cloud; run: gcloud auth login")
    if "service_disabled" in lower or "api has not been used" in lower or "it is disabled" in lower:
        api = found[1] if (found := _API.search(text)) else "container.googleapis.com"
        return GcloudError(
            f"{api} is not enabled in the project; run: gcloud services enable {api} --project {project}"
        )
    if "billing" in lower:
        link = f"gcloud billing projects link {project} --billing-account ACCOUNT"
        return GcloudError(
            f"the project {project} has no billing account; run: {link} (gcloud billing accounts list has them)"
        )
    if re.search(r"quota|resource_exhausted|stockout|does not have enough resources", lower):
        return GcloudError(
            f"{what}; take fewer or smaller nodes, another location, or ask for more: "
            "https://console.cloud.google.com/iam-admin/quotas"
        )
    if re.search(r"unable to find the server|could not reach|failed to connect|connection refused|timed out", lower):
        return GcloudError(f"Google Cloud does not answer; try again later: {what}")
    if re.search(r"already_exists|code=409|httperror 409|already exists|already own it", lower):
        return ExistsError(what)
    if re.search(r"permission_denied|does not have permission|code=403|status=\[?403|httperror 403|forbidden", lower):
        return GcloudError(
            f"{what}; the project {project} is not there or your account may not do that: gcloud projects list shows "
            "yours, gcloud auth list who you are"
        )
    if re.search(r"not_found|code=404|status=\[?404|httperror 404|\bnot found\b", lower):
        return NotFoundError(what)
    return GcloudError(f"gcloud {_name(arguments)}: {what}")


def _last(said: str) -> str:
    """Return what gcloud says is wrong, in one line, without its own prefix."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _ACCOUNT.match(line)]
    error = next((line for line in lines if line.startswith("ERROR")), lines[0] if lines else "it says nothing")
    return re.sub(r"^ERROR: (\([\w.-]+\) )?", "", error)[:300].rstrip(".:")


def _name(arguments: tuple[str, ...]) -> str:
    return " ".join(part for part in arguments[:4] if not part.startswith("-"))
