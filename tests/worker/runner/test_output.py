"""What dpp prints, understood."""

from hypothesis import given
from hypothesis import strategies as st

from worker.runner import output


def test_the_sinks_count_is_progress() -> None:
    assert output.rows_of(b"INFO    :(sink): >>> PROCESSED ROWS: 89800\n") == 89800


def test_a_processor_cannot_pretend_to_be_the_sink() -> None:
    assert output.rows_of(b"INFO    :mine: INFO    :(sink): >>> PROCESSED ROWS: 1\n") is None


def test_a_processor_that_was_killed_is_told_with_the_signal() -> None:
    line = "ERROR   :da85c282 FAILED /app/slow rows.py: -9"
    assert output.death_of(line) == (
        "processor slow rows.py was ended by SIGKILL (killed from outside; out of memory?)"
    )


def test_a_processor_that_failed_by_itself_is_told_with_its_exit_code() -> None:
    assert output.death_of("ERROR   :da85c282 FAILED /app/slow.py: 1") == "processor slow.py ended with exit code 1"


@given(st.binary())
def test_no_line_breaks_the_parser(line: bytes) -> None:
    output.rows_of(line)
    output.death_of(line.decode("utf8", "replace"))
