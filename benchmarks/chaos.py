"""`dppctl up`, and bots, killed at random moments of a story of pushes and tags, with webhooks that go astray."""

import time

from _pytest.outcomes import Failed

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, table
from tests.support.postgres import new_database
from tests.support.stories.chaos import Story
from tests.support.stories.chaos_bots import TAKEOVER_SECONDS, BotsStory

KILLS = 200
SECONDS = 5.0  # at most, between a start and the kill: it is up after one or two, and a deployment takes some more
SEED = 20_260
BOT_KILLS, GIT_KILLS, HARMS = 45, 115, 110
BOTS_SECONDS = 1.0  # at most, between two of these


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
    """Kill three bots, which share six ops repos by a PostgreSQL, and their gits, and harm their copies."""
    kills, gits, harms = (3, 6, 6) if bench.quick else (BOT_KILLS, GIT_KILLS, HARMS)
    started, failure, folder = time.monotonic(), "", bench.new_folder()
    with new_database(folder) as database:
        story = BotsStory(folder, database, SEED, ops=6)
        try:
            story.play(kills=kills, gits=gits, harms=harms, longest=BOTS_SECONDS)
            story.check()
        except (AssertionError, Failed) as error:
            failure = str(error)
        story.close()
    counts, measured = story.counts, failure.splitlines()[0] if failure else "all true"
    bar = "each ops repo is what git says, no two bots wrote it, each of its commits is one deployment, none done twice"
    what = f"three bots killed with SIGKILL {counts['bots killed']} times in turn, {counts['gits killed']} gits killed"
    rows = [Row(f"{what}, {counts['copies harmed']} copies harmed", bar, measured, not failure)]
    if story.takeovers:
        slowest, all_of_them = max(story.takeovers), f"{len(story.takeovers)} of {len(story.takeovers)}"
        rows.append(
            Row(
                "… an ops repo of a killed bot is another's",
                f"within {TAKEOVER_SECONDS:.0f} s",
                f"{all_of_them} within {slowest:.1f} s",
                slowest <= TAKEOVER_SECONDS,
            )
        )
    lines = sorted(counts.items())
    details = (
        f"In {(time.monotonic() - started) / 60:.0f} minutes:\n\n{table(('what', 'how often'), lines)}\n\n{failure}"
    )
    return Result("Chaos with three bots", rows, details)
