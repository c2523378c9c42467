"""200 runs while the usage server and the proxy are killed: what is missing in the log, and which places are left."""

import time
from contextlib import closing

from _pytest.outcomes import Failed

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, table
from benchmarks.runs_world import kubeconfig, not_measured, operator_of, world_of
from tests.support.stories.usage_story import UsageStory

RUNS, KILLS = 200, 20
SEED = 20_261


def usage_chaos(bench: Bench) -> Result:
    """Kill each of the two in turn, again and again."""
    title = "Usage: killed during 200 runs"
    if not kubeconfig():
        return not_measured(title)
    runs, kills = (20, 2) if bench.quick else (RUNS, KILLS)
    started, failure = time.monotonic(), ""
    with (
        world_of(bench, waiting=10, most=50) as world,
        operator_of(world) as operator,
        closing(UsageStory(world, kubeconfig(), operator.url, SEED)) as story,
    ):
        try:
            story.play(runs, kills, seconds=3.0)
            story.check(seconds=300.0)
        except (AssertionError, Failed) as error:
            failure = str(error)
        counts = sorted(story.kills.items())
    measured = failure.splitlines()[0] if failure else "all true"
    bar = "each run's request, answer and phases are in the log, each is counted, no place is left over"
    row = Row(f"{runs} runs, {kills} kills with SIGKILL", bar, measured, not failure)
    details = f"In {time.monotonic() - started:.0f} s:\n\n{table(('killed', 'how often'), counts)}\n\n{failure}"
    return Result(title, [row], details)
