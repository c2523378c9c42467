"""Going back to a kept release, as a job: one link is switched, and nothing runs."""

from cluster.errors import ClusterError
from cluster.limits import MAX_RESTORED
from cluster.sync.local.deployment import EnvironmentJob, JobContext
from cluster.sync.local.state import Restore


class RestoreJob(EnvironmentJob):
    """Makes a release current that was so before, with all that it left."""

    def __init__(self, context: JobContext, work: Restore) -> None:
        super().__init__(context, work, work.desired)
        self._wanted, self._end = work.release, work.end

    def _run(self) -> None:
        """Switch to it and report that. A kill at any step leaves the old or the new whole, and is gone on from.

        Raises ClusterError when the release is gone since it was decided, for another decision.
        """
        found = next((pair for pair in self._environment.kept() if pair[1] == self._wanted), None)
        if found is None:
            raise ClusterError("what was to be gone back to is gone")
        release, outcome = found
        ops_commits = (*outcome.restored_for, self._end.ops_commit)[-MAX_RESTORED:]
        release.write(outcome.model_copy(update={"restored_for": ops_commits, "since": self._end.ended}))
        self._environment.switch(release)
        self._report_end(self._end)
