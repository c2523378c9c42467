"""A run of pipelines by their schedule, as a job: it starts from what is current."""

import shutil
import time

from bot.data.compared import merge
from bot.errors import DppctlError, reason_of
from bot.logs import get_logger
from bot.model.receipt import Receipt
from cluster.errors import ClusterError
from cluster.sync.expected import judge_scheduled
from cluster.sync.local.deployment import EnvironmentJob, JobContext
from cluster.sync.local.state import DesiredValues, RunScheduled
from cluster.sync.outcome import verdict, with_second_line

_log = get_logger("dppctl.sync")


class ScheduledRun(EnvironmentJob):
    """Runs some pipelines again, on what is current; what comes out is current then, if they succeed."""

    def __init__(self, context: JobContext, work: RunScheduled) -> None:
        super().__init__(context, work, DesiredValues(work.deployed.values, work.deployed.ops_commit))
        self._deployed = work.deployed
        self._ids = [pipeline.id for pipeline in work.pipelines]

    def _run(self) -> None:
        """Run them, and report how it went. The next time is the schedule's, so what fails is not tried again."""
        log: list[str] = []
        receipt = None
        try:
            current = self._environment.current()
            if current is None:
                raise ClusterError("what was deployed is gone")
            if self._values.image is None:
                self._context.workers.expect(self._target)
            release = self._begin()
            shutil.copytree(current.source, release.source, symlinks=True)
            host = self._host(release)
            receipt, found = self._follow(release, host, self._ids, lambda _message, lines: log.append(lines))
            phase, message = verdict(receipt)
            before = (current.outcome or self._deployed).current_data
            data = merge(before, receipt) if before else receipt
            if phase == "succeeded" and (failure := self._judge(data, receipt)):
                phase, message, receipt = "failed", failure, receipt.model_copy(update={"status": "failed"})
            if phase == "succeeded":
                written = (current.outcome or self._deployed).written.joined(found, release.source)
                message += self._publish(release, written)
                if current.storage.exists() and not release.storage.exists():
                    shutil.copytree(current.storage, release.storage)
                changes = {"since": time.time(), "written": written, "data": data}
                release.write(self._deployed.model_copy(update=changes))
                self._environment.switch(release)
        except Exception as error:  # noqa: BLE001 (it is reported, and what is a mistake of ours is logged)
            if not isinstance(error, (DppctlError, OSError)):
                _log.exception("scheduled run broke")
            phase, message = "failed", reason_of(error)
        if not self._stop.is_set() or phase == "succeeded":
            self._tell("scheduled", f"{', '.join(self._ids)} {phase} by schedule: {message}", "".join(log), receipt)
            _log.info("ran by schedule", pipelines=",".join(self._ids), phase=phase)
        self._environment.tidy()

    def _judge(self, data: Receipt, run: Receipt) -> str:
        """Return why the environment does not take what the pipelines made; "": it does."""
        ran = {pipeline.id for pipeline in run.pipelines}
        failure = judge_scheduled(self._target, self._values, data, self._before(), ran).failure
        return failure and with_second_line(failure, self._what_stays())
