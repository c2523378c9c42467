"""`dppctl up`, killed at random moments of a story of pushes and tags, with webhooks that go astray."""

import time

from _pytest.outcomes import Failed

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, table
from tests.support.stories.chaos import Story

KILLS = 200
SECONDS = 5.0  # at most, between a start and the kill: it is up after one or two, and a deployment takes some more
SEED = 20_260


def chaos(bench: Bench) -> Result:
    kills, started = 5 if bench.quick else KILLS, time.monotonic()
    story = Story(bench.new_folder(), SEED, SECONDS)
    told = ""
    try:
        story.play(kills)
        story.check()
    except (AssertionError, Failed) as error:
        told = str(error)
    measured = told.splitlines()[0] if told else "all true"
    bar = "the ops repo is what git says, every deployment ended, none lost, none done twice"
    row = Row(f"`dppctl up` killed with SIGKILL {kills} times", bar, measured, not told)
    lines = sorted(story.counts.items())
    details = f"In {(time.monotonic() - started) / 60:.0f} minutes:\n\n{table(('what', 'how often'), lines)}\n\n{told}"
    return Result("Chaos", [row], details)
