"""From nothing to rows of one's own after a push: the first page, typed in a clean Debian with an empty home."""

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, table
from tests.support.newcomer import new_newcomer

SECONDS, COMMANDS = 300.0, 5
HOW = """\
In a clean Debian 13 with an empty home; what is downloaded comes by this machine's network. The first two lines
get what the page says is needed. The time in which a person reads and writes is not counted.
"""


def newcomer(bench: Bench) -> Result:
    """Measure each line of README.md, as tests/stories/in_images/test_newcomer.py types it."""
    with new_newcomer(bench.new_folder(), is_frugal=False) as ann:
        walked = list(ann.walks())
        typed = len(ann.page.types)
    total = sum(seconds for _, seconds in walked)
    rows = [
        Row("a newcomer's commands, to a push that deploys", f"at most {COMMANDS}", str(typed), typed <= COMMANDS),
        Row("… seconds from nothing to the rows", f"under {SECONDS:g} s", f"{total:.0f} s", total < SECONDS),
    ]
    lines = [[f"`{line}`", f"{seconds:.1f}"] for line, seconds in walked]
    return Result("The first page, by a newcomer", rows, f"{HOW}\n{table(['typed', 'seconds'], lines)}")
