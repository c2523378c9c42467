"""Whether a cluster can be used; and if not, it is made, or waited for."""

import time
from collections.abc import Callable

from cli.errors import InputError
from cli.init.prompts import Questions
from cli.limits import CLUSTER_POLL_SECONDS, CLUSTER_WAIT_SECONDS
from cli.providers.provider import ClusterState, Provider


def bring_up(
    provider: Provider,
    questions: Questions,
    say: Callable[[str], None],
    keep: Callable[[], None] = lambda: None,
    *,
    dry_run: bool,
) -> bool:
    """Return whether the cluster is ready; one that is missing is begun, one that has begun is waited for.

    What it costs is said, and confirmed, before it is made. `keep` is called before it begins and once it has, so that
    nothing is made that nobody knows of. Raises InputError for a cluster that cannot become ready as things are.
    """
    provider.ask(questions)
    state = provider.state()
    if state.phase == "missing":
        if cost := provider.cost():
            say(cost)
        if dry_run:
            say(f"would {provider.start(dry_run=True)}")
            return False
        if cost and not questions.confirm("Make it?"):
            raise InputError("nothing was made")
        keep()
        if made := provider.start(dry_run=False):
            say(made)
        keep()
        state = provider.state()
        if state.phase in ("missing", "starting"):  # what was asked for a moment ago may not be listed yet
            for line in provider.begun_lines:
                say(line)
            return False
    if state.phase == "starting":
        say(state.line)
        state = state if dry_run else _wait(provider, state, say)
    if state.phase == "failed":
        raise InputError(state.line)
    return state.phase == "ready"


def lacks_access(provider: Provider, say: Callable[[str], None]) -> bool:
    """Return whether a dry run ends here: to look into the cluster this machine's files would have to change first."""
    if line := provider.access_to_add():
        say(f"would {line}, and then look what is to be changed in the cluster")
    return bool(line)


def _wait(provider: Provider, state: ClusterState, say: Callable[[str], None]) -> ClusterState:
    """Wait until the cluster does not start any more; return its state. Raises InputError when that takes too long."""
    end = time.monotonic() + CLUSTER_WAIT_SECONDS
    while state.phase == "starting":
        if time.monotonic() > end:
            minutes = f"{CLUSTER_WAIT_SECONDS / 60:.0f} minutes"
            raise InputError(f"{state.line}: not ready after {minutes}; run the same command again, it goes on waiting")
        time.sleep(CLUSTER_POLL_SECONDS)
        before, state = state.line, provider.state()
        if state.phase == "starting" and state.line != before:
            say(state.line)
    return state
