"""datapackage-pipelines as the worker finds it: the `dpp` command on PATH, run in the workload's folder.

dpp's processes get a few modules of ours (worker/hooks) first on their PYTHONPATH; nothing is installed.
"""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, cast

from worker.plan import Pipeline, WorkloadError
from worker.runner.output import signal_name
from worker.runner.processes import Drain, OwnedProcess, PipelineProcess
from worker.runner.ready import AUTO, DPP, ReadyDpp, dpp_environment
from worker.runner.warm import WarmDpp, can_be_warm

RUNNERS = (AUTO, DPP)
ASKED_FOR = "--runner dpp, or DPPCTL_RUNNER, says so"
NOT_LOADED = "the runner cannot be loaded by its Python"
TRIES = 2  # of a workload with a warm process: that which waits may have been killed
RESOURCES_FILE = "resources.json"
RESULT_FILE = "result.json"


class Dpp:
    """Starts dpp's processes for one run: from a warm process where there can be one, else each by itself."""

    def __init__(
        self,
        workload: Path,
        ready: ReadyDpp,
        environment: Mapping[str, str],
        image: Optional[str] = None,
        runner: str = AUTO,
    ) -> None:
        """ready: what the run may use; environment: of the pipelines; image: what it is part of, if of any.

        runner: DPP has dpp run everything itself. Raises WorkloadError without a `dpp` on PATH.
        """
        command = shutil.which("dpp", path=environment.get("PATH", os.defpath))
        if command is None:
            raise WorkloadError([_missing(image)])
        self._command = command
        self._workload = workload
        self._ready = ready
        self._given = environment
        self._runner = runner
        self._warm: Optional[WarmDpp] = None
        self._lock = threading.Lock()
        self._inspecting: Optional[OwnedProcess] = None
        self._stopped = False

    def inspect(self, scratch: Path) -> Tuple[List[Pipeline], List[str]]:
        """Return the workload's pipelines, and files that look like specs and are none (hooks/dppctl_inspect.py).

        Raises WorkloadError when the specs cannot be read.
        """
        target = scratch / "pipelines.json"
        if self._runner != DPP and can_be_warm():
            self._warm = self._hand_over(target)
        if self._stopped:
            raise WorkloadError([])
        if self._warm:
            process = self._warm.process
        else:
            environment = {**self._environment(self._workload), "DPPCTL_INSPECT_FILE": str(target)}
            self._inspecting = process = OwnedProcess([self._command], self._workload, environment)
        if self._stopped:  # it came before there was something to stop
            process.stop()
        report = self._wait_for(target, process)
        if report["errors"]:
            raise WorkloadError(report["errors"])
        self._inspecting = None
        return [{**pipeline, "runner": self._how(pipeline)} for pipeline in report["pipelines"]], report["unread"]

    def stop(self) -> None:
        """End the inspection, if it is under way: generators are the user's code and may hang."""
        self._stopped = True
        if self._inspecting:
            self._inspecting.stop()

    def start(self, pipeline: Pipeline, scratch: Path, is_last: bool) -> PipelineProcess:
        """Start this pipeline; RESULT_FILE and RESOURCES_FILE come into the scratch folder.

        is_last: whether no other is started after it. Raises OSError when it cannot be started.
        """
        environment = self._environment(self._workload / pipeline["folder"])
        environment["DPPCTL_RESOURCES_FILE"] = str(scratch / RESOURCES_FILE)
        result = str(scratch / RESULT_FILE)
        if self._warm and not is_by_dpp(pipeline["runner"]):
            names = "DPPCTL_WORKLOAD_PATH", "DPPCTL_RESOURCES_FILE"
            own = {name: environment[name] for name in names}
            return self._living(scratch).start(pipeline["id"], own, result, is_last)
        environment["DPPCTL_RESULT_FILE"] = result
        return OwnedProcess([self._command, "run", "--slave", "--", pipeline["id"]], self._workload, environment)

    def _hand_over(self, target: Path) -> Optional[WarmDpp]:
        """Hand the workload to a warm process, and return it; None when none can take it."""
        for _ in range(TRIES):
            try:
                warm = self._ready.warm()
            except OSError:  # dpp is started by itself then, and says why it does not
                return None
            if warm is None:
                return None
            self._inspecting = warm.process
            if self._stopped:
                return None
            if warm.inspect(self._command, self._workload, self._environment(self._workload), target):
                return warm
        return None

    def _living(self, scratch: Path) -> WarmDpp:
        """Return the warm process, another one when it was killed while nothing ran in it. Raises OSError."""
        with self._lock:
            if self._warm and self._warm.has_ended and not self._stopped:
                self._warm = self._hand_over(scratch / "pipelines.json")
                if self._warm:
                    self._warm.has_looked.wait()
                self._inspecting = None
            if self._warm is None:
                raise OSError("the process that was to run it has ended")
            return self._warm

    def _wait_for(self, target: Path, process: OwnedProcess) -> Dict[str, Any]:
        """Return the report, from the file that the process writes."""
        stderr = Drain(process.stderr)
        code = 0
        if self._warm:
            self._warm.has_looked.wait()
        if not self._warm or not target.exists():
            code = process.wait()
        if not target.exists():
            output = stderr.text()
            ending = signal_name(-code) if code < 0 else f"exit code {code}"
            reason = output.splitlines()[-1] if output else ending
            raise WorkloadError([{"where": "dpp", "message": "could not list the pipelines: " + reason}])
        return cast(Dict[str, Any], json.loads(target.read_text()))

    def _how(self, pipeline: Dict[str, Any]) -> str:
        """Return who runs a pipeline, and after a colon why."""
        if self._runner == DPP:
            return f"{DPP}: {ASKED_FOR}"
        if not can_be_warm():
            return f"{DPP}: it is not Linux with /proc that it runs on"
        return str(pipeline.get("runner") or f"{DPP}: {NOT_LOADED}")

    def _environment(self, folder: Path) -> Dict[str, str]:
        return dpp_environment(self._given, self._ready.hooks, folder, self._workload)


def is_by_dpp(runner: str) -> bool:
    """Return whether a pipeline with this `runner` is run by dpp itself."""
    return runner.startswith(DPP + ":")


def _missing(image: Optional[str]) -> Dict[str, str]:
    if image is None:
        return {"where": "dpp", "message": "not on PATH: install datapackage-pipelines"}
    how = "install datapackage-pipelines in its Dockerfile, or leave the Dockerfile out"
    return {"where": f"the image {image}", "message": "no dpp on its PATH; " + how}
