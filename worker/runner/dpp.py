"""datapackage-pipelines as the worker finds it: the `dpp` command on PATH, run in the workload's folder.

dpp's processes get a few modules of ours (worker/hooks) first on their PYTHONPATH; nothing is installed.
"""

import json
import os
import pkgutil
import shutil
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, cast

from worker.plan import Pipeline, WorkloadError
from worker.runner.output import signal_name
from worker.runner.processes import OwnedProcess

HOOKS = ("sitecustomize.py", "dppctl_wrapper.py", "dppctl_runner.py", "dppctl_inspect.py", "dppctl_spec_check.py")
# A package in the processes of dpp, by a name that no module of a workload has.
PACKAGE = "runner", "dppctl_hooks"
QUICK = ("__init__", "dates", "fields", "imports", "known", "profiles", "sql")
PACKAGE_FILES = ("__init__.py", "lines.py", *(f"quick/{name}.py" for name in QUICK))
RESOURCES_FILE = "resources.json"
RESULT_FILE = "result.json"


class Dpp:
    """Starts dpp's processes for one run."""

    def __init__(
        self, workload: Path, hooks: Path, environment: Mapping[str, str], image: Optional[str] = None
    ) -> None:
        """hooks: a folder to make; environment: of the pipelines; image: what it is part of, if of any.

        Raises WorkloadError without a `dpp` on PATH.
        """
        command = shutil.which("dpp", path=environment.get("PATH", os.defpath))
        if command is None:
            raise WorkloadError([_missing(image)])
        self._command = command
        self._workload = workload
        self._hooks = hooks
        self._given = environment
        self._inspecting: Optional[OwnedProcess] = None
        self._stopped = False
        for name in HOOKS:
            _copy(name, hooks / name)
        for name in PACKAGE_FILES:
            _copy(f"{PACKAGE[0]}/{name}", hooks / PACKAGE[1] / name)

    def inspect(self, scratch: Path) -> Tuple[List[Pipeline], List[str]]:
        """Return the workload's pipelines, and files that look like specs and are none (hooks/dppctl_inspect.py).

        Raises WorkloadError when the specs cannot be read.
        """
        target = scratch / "pipelines.json"
        environment = {**self._environment(self._workload), "DPPCTL_INSPECT_FILE": str(target)}
        self._inspecting = process = OwnedProcess([self._command], self._workload, environment)
        if self._stopped:  # it came before there was something to stop
            process.stop()
        output = process.stderr.read().decode("utf8", "replace").strip()
        code = process.wait()
        if not target.exists():
            ending = signal_name(-code) if code < 0 else f"exit code {code}"
            reason = output.splitlines()[-1] if output else ending
            raise WorkloadError([{"where": "dpp", "message": "could not list the pipelines: " + reason}])
        report: Dict[str, Any] = json.loads(target.read_text())
        if report["errors"]:
            raise WorkloadError(report["errors"])
        return report["pipelines"], report["unread"]

    def stop(self) -> None:
        """End the inspection, if it is under way: generators are the user's code and may hang."""
        self._stopped = True
        if self._inspecting:
            self._inspecting.stop()

    def start(self, pipeline: Pipeline, scratch: Path) -> OwnedProcess:
        """Start `dpp run --slave` for this pipeline; RESULT_FILE and RESOURCES_FILE come into the scratch folder.

        Raises OSError when it cannot be started.
        """
        environment = self._environment(self._workload / pipeline["folder"])
        environment["DPPCTL_RESOURCES_FILE"] = str(scratch / RESOURCES_FILE)
        environment["DPPCTL_RESULT_FILE"] = str(scratch / RESULT_FILE)
        return OwnedProcess([self._command, "run", "--slave", "--", pipeline["id"]], self._workload, environment)

    def _environment(self, folder: Path) -> Dict[str, str]:
        # Inline `code:` runs from a folder of dpp's, so modules beside the spec are found only through PYTHONPATH.
        result = dict(self._given)
        behind = [self._given["PYTHONPATH"]] if self._given.get("PYTHONPATH") else []
        folders = dict.fromkeys([str(self._hooks), str(folder), str(self._workload), *behind])
        result["PYTHONPATH"] = os.pathsep.join(folders)
        result.pop("PYTHONUNBUFFERED", None)  # with it every row would be a write of its own
        result["DPPCTL_OWNER"] = f"worker:{os.getpid()}"
        return result


def _copy(hook: str, target: Path) -> None:
    source = pkgutil.get_data("worker", "hooks/" + hook)  # the worker may be a zipapp
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(cast(bytes, source))


def _missing(image: Optional[str]) -> Dict[str, str]:
    if image is None:
        return {"where": "dpp", "message": "not on PATH: install datapackage-pipelines"}
    how = "install datapackage-pipelines in its Dockerfile, or leave the Dockerfile out"
    return {"where": f"the image {image}", "message": "no dpp on its PATH; " + how}
