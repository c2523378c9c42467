"""`dppctl up`, and bots, killed at random moments of a story of pushes and tags, with webhooks that go astray."""

import time

from _pytest.outcomes import Failed

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, table
from tests.support.postgres import new_database
from tests.support.stories.chaos import Story
from tests.support.stories.chaos_bots import BotsStory

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


def chaos_bots(bench: Bench) -> Result:
    """Kill each of three bots, which share six ops repos by a PostgreSQL, again and again."""
    kills, started, failure = 3 if bench.quick else KILLS, time.monotonic(), ""
    folder = bench.new_folder()
    with new_database(folder) as database:
        story = BotsStory(folder, database, SEED, ops=6)
        try:
            story.play(kills, SECONDS)
            story.check()
        except (AssertionError, Failed) as error:
            failure = str(error)
        story.close()
    measured = failure.splitlines()[0] if failure else "all true"
    bar = "each ops repo is what git says, each of its commits is one deployment, none done twice"
    row = Row(f"three bots killed with SIGKILL {kills} times in turn", bar, measured, not failure)
    lines = sorted(story.counts.items())
    details = (
        f"In {(time.monotonic() - started) / 60:.0f} minutes:\n\n{table(('what', 'how often'), lines)}\n\n{failure}"
    )
    return Result("Chaos with three bots", [row], details)
