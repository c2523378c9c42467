"""`dppctl init` against the fake GitHub: how many questions, how long, and what a second run changes."""

import time

from benchmarks.bench import Bench
from benchmarks.report import Result, Row
from tests.support.forge import Forge
from tests.support.github.fake import fake_github
from tests.support.stories.person import ANSWERS, Person

QUESTIONS = 6
SECONDS = 10.0


def init(bench: Bench) -> Result:
    """Measure a person's way from a clone without `.dppctl.yaml` to a second run."""
    folder = bench.new_folder()
    with fake_github(Forge(folder)) as github:
        ann = Person(github, folder)
        settings = ann.config / ".env"
        settings.write_text(f"{settings.read_text()}DPPCTL_WEBHOOK_SECRETS=first\n")
        with ann.receiver():
            answers = f"{ANSWERS}{ann.address}\n"
            started = time.perf_counter()
            first = ann.init(answers=answers)
            seconds = time.perf_counter() - started
            if first.exit_code:
                raise RuntimeError(f"{first.output}\n{first.exception}")
            changes = len(github.writes)
            github.calls.clear()
            second = ann.init()
            if second.exit_code:
                raise RuntimeError(f"{second.output}\n{second.exception}")
            writes = len(github.writes)
    asked = answers.count("\n")  # one more and there would have been none to read
    rows = [
        Row("`dppctl init`: questions", f"at most {QUESTIONS}", str(asked), asked <= QUESTIONS),
        Row(
            "… the whole of it, so more than from the last answer on",
            f"under {SECONDS:g} s",
            f"{seconds:.1f} s",
            seconds < SECONDS,
        ),
        Row("… writing calls of a second run", "0", str(writes), writes == 0),
    ]
    details = f"The first run made {changes} writing calls, a commit to the ops repo, and had GitHub's ping answered."
    return Result("Setting up continuous deployment", rows, details)
