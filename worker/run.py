"""A run: a workload's chosen pipelines, several at a time, from the first event to the receipt."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from worker.events import EventStream, utc_now
from worker.plan import Pipeline, WorkloadError, choose
from worker.publication import EndedPipeline, Publication, find_written
from worker.runner.dpp import RUNNERS, Dpp
from worker.runner.pipeline import PipelineRun, Result
from worker.runner.ready import AUTO, ReadyDpp
from worker.unique import Unique, write_unique

Receipt = Dict[str, Any]


class Run:
    """Runs pipelines once. `stop` may come from another thread, before, during and after `execute`."""

    def __init__(
        self,
        workload: Path,
        asked: Sequence[str],
        environment: Mapping[str, str],
        events: EventStream,
        concurrency: int = 1,
        origin: Optional[Dict[str, Any]] = None,
        nonce: str = "",
        runner: str = "",
        ready: Optional[ReadyDpp] = None,
        unique: Sequence[Unique] = (),
    ) -> None:
        """Take what to run.

        environment: of the pipelines, PATH with `dpp` included; origin: the receipt's `source` and `image`; nonce: what
        the last event repeats, so that the owner knows it from one that a pipeline wrote; runner: one of RUNNERS, "" is
        what the environment's DPPCTL_RUNNER says; ready: what was made ready before, which this run uses up; unique:
        columns that are to be checked for duplicates (worker/unique.py).
        """
        self._workload = workload
        self._asked = asked
        self._environment = environment
        self._events = events
        self._concurrency = concurrency
        self._origin = {"source": None, "image": None, **(origin or {})}
        self._nonce = {"nonce": nonce} if nonce else {}
        self._runner = runner
        self._ready = ready
        self._unique = list(unique)
        self._lock = threading.Lock()
        self._running: List[PipelineRun] = []
        self._dpp: Optional[Dpp] = None
        self._stopped = False
        self._folders: Dict[str, None] = {}  # of the specs of its pipelines
        self._ran: List[EndedPipeline] = []
        self.publication = Publication(workload)  # once it has ended

    def execute(self) -> Receipt:
        """Run them all; the receipt is also the stream's last event.

        Pipelines that are invalid are told of first, in an `invalid` event; the others run. What is to be published is
        told before the last event, in `written`. Raises WorkloadError when
        nothing can run (the stream then ends with that event), and OSError when there is no room for its own files.
        """
        started, since = utc_now(), time.time()
        ready = self._ready or ReadyDpp(self._environment, is_warm=False)
        try:
            results = self._run_with(ready)
        except WorkloadError as invalid:
            if not self._stopped:
                self._events.emit("invalid", errors=invalid.errors)
                raise
            results = []
        finally:
            ready.close()
        statuses = [result["status"] for result in results] or ["stopped"]
        status = next((status for status in ("stopped", "failed") if status in statuses), "succeeded")
        receipt = {
            "status": status,
            "pipelines": results,
            **self._origin,
            "started": started,
            "ended": utc_now(),
        }
        self.publication = find_written(self._workload, list(self._folders), since, self._ran)
        if written := self.publication.describe():
            self._events.emit("written", **written, **self._nonce)
        self._events.emit("ended", receipt=receipt, **self._nonce)
        return receipt

    def stop(self) -> None:
        """End what runs, within two seconds, and start nothing more."""
        with self._lock:
            self._stopped = True
            stops = [process.stop for process in self._running]
            if self._dpp:
                stops.append(self._dpp.stop)
        stoppers = [threading.Thread(target=stop) for stop in stops]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()

    def _run_with(self, ready: ReadyDpp) -> List[Result]:
        # A fresh state folder: nothing is "already running" because an earlier run was killed.
        environment = {**self._environment, "DPP_DB_DIRNAME": str(ready.folder / "state")}
        runner = self._runner or environment.pop("DPPCTL_RUNNER", AUTO)
        if runner not in RUNNERS:
            message = f"{runner!r} is none of {', '.join(RUNNERS)}"
            raise WorkloadError([{"where": "DPPCTL_RUNNER", "message": message}])
        dpp = Dpp(self._workload, ready, environment, self._origin["image"], runner)
        with self._lock:
            self._dpp = dpp
            if self._stopped:
                dpp.stop()
        return self._run_pipelines(dpp, ready.folder)

    def _run_pipelines(self, dpp: Dpp, scratch: Path) -> List[Result]:
        found, unread = dpp.inspect(scratch)
        pipelines = choose(found, self._asked, unread)
        for pipeline in pipelines:
            self._folders[pipeline["folder"]] = None
            self._events.emit(
                "queued",
                pipeline=pipeline["id"],
                folder=pipeline["folder"],
                dependencies=pipeline["dependencies"],
                runner=pipeline["runner"],
            )
        results = self._refuse([pipeline for pipeline in pipelines if pipeline["errors"]])
        waiting = [pipeline for pipeline in pipelines if pipeline["id"] not in results]
        running: Dict[Future[Result], str] = {}
        with ThreadPoolExecutor(max_workers=self._concurrency) as pool:
            while waiting or running:
                for pipeline in [found for found in waiting if all(name in results for name in found["dependencies"])]:
                    waiting.remove(pipeline)
                    own_scratch = scratch / str(len(results) + len(running))
                    is_last = not waiting and not running
                    job = pool.submit(self._run_one, dpp, pipeline, own_scratch, results, is_last)
                    running[job] = pipeline["id"]
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for job in done:
                    results[running.pop(job)] = job.result()
        return [results[pipeline["id"]] for pipeline in pipelines]

    def _refuse(self, invalid: List[Pipeline]) -> Dict[str, Result]:
        """Tell of the pipelines that cannot run, before the others do; return their results."""
        results: Dict[str, Result] = {}
        if invalid:
            self._events.emit("invalid", errors=[error for pipeline in invalid for error in pipeline["errors"]])
        for pipeline in invalid:
            reason = "\n".join("{where}: {message}".format(**error) for error in pipeline["errors"])
            results[pipeline["id"]] = _not_run(pipeline, "failed", reason)
            self._events.emit("finished", pipeline=pipeline["id"], result=results[pipeline["id"]])
        return results

    def _run_one(
        self, dpp: Dpp, pipeline: Pipeline, scratch: Path, results: Mapping[str, Result], is_last: bool
    ) -> Result:
        name = pipeline["id"]
        unmet = [needed for needed in pipeline["dependencies"] if results[needed]["status"] != "succeeded"]
        if self._stopped:
            result = _not_run(pipeline, "stopped", None)
        elif unmet:
            result = _not_run(pipeline, "failed", "not run: {} did not succeed".format(", ".join(unmet)))
        else:
            try:
                scratch.mkdir()
                write_unique(self._unique, scratch)
                process = PipelineRun(pipeline, self._workload, scratch, dpp.start(pipeline, scratch, is_last))
            except OSError as error:
                result = _not_run(pipeline, "failed", f"dpp cannot be started: {error}")
            else:
                result = self._follow(process)
        self._events.emit("finished", pipeline=name, result=result)
        return result

    def _follow(self, process: PipelineRun) -> Result:
        with self._lock:
            self._running.append(process)
            stopped = self._stopped
        began = time.time()
        self._events.emit("started", pipeline=process.pipeline_id)
        if stopped:  # it came between the look and the start
            process.stop()
        result = process.follow(self._events)
        package_hash = str(result["stats"].get("hash"))
        self._ran.append(EndedPipeline(began, time.time(), result["status"] == "succeeded", package_hash))
        with self._lock:
            self._running.remove(process)
        return result


def _not_run(pipeline: Pipeline, status: str, error: Optional[str]) -> Result:
    empty: Result = {"id": pipeline["id"], "status": status, "rows": 0, "bytes": None, "hash": None, "seconds": 0.0}
    return {**empty, "stats": {}, "resources": [], "runner": pipeline["runner"], "error": error}
