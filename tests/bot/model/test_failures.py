"""Why a deployment failed, as the page begins with it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from bot.model.expectations import Expectation
from bot.model.failures import accepted_in, failure_of
from bot.model.receipt import Receipt
from bot.model.values import Source, Values
from cluster.sync.expected import judge_data
from tests.support.page_states import PLACE, ZONES_ERROR, receipt_of
from tests.support.world import STAGING


def receipt(**more: Any) -> Receipt:
    return Receipt.model_validate(receipt_of(3, status="failed", **more))


STAYS = "staging stays as it was, on master (1a2b3c4d5e6f)"
MESSAGE = f"./countries-to-db failed: {ZONES_ERROR.splitlines()[0]}\n{STAYS}\n./countries-to-db:\n{ZONES_ERROR}"


def test_it_begins_with_the_users_own_line_and_its_source() -> None:
    failure = failure_of(MESSAGE, receipt(error=ZONES_ERROR, place=PLACE), 12)
    (found,) = failure.pipelines
    assert found.headline == "zones.py:33 in zones: not enough values to unpack (expected 5, got 3)"
    assert [line.number for line in found.source] == [31, 32, 33, 34, 35]
    assert [line.text for line in found.source if line.is_it] == [PLACE["source"]["lines"][2]]
    assert failure.lines == (STAYS,)
    assert failure.folded == MESSAGE


def test_the_name_of_an_exception_stays_where_the_message_says_too_little() -> None:
    error = "zones.py:33: KeyError: 'year'\nzones:\nTraceback"
    (found,) = failure_of(f"./a failed: {error}", receipt(error=error, place=PLACE), 12).pipelines
    assert found.headline == "zones.py:33 in zones: KeyError: 'year'"


def test_without_a_place_the_first_line_of_the_error_is_said() -> None:
    (found,) = failure_of("./a failed: dpp was ended", receipt(error="dpp was ended by SIGKILL\nmore"), 12).pipelines
    assert (found.headline, found.source) == ("dpp was ended by SIGKILL", ())


def test_of_a_place_that_is_not_the_errors_nothing_is_shown() -> None:
    (found,) = failure_of("x", receipt(error="other.py:7: ValueError: x", place=PLACE), 12).pipelines
    assert (found.headline, found.place, found.source) == ("other.py:7: ValueError: x", None, ())


def test_each_violated_expectation_is_a_line() -> None:
    lines = ["committees: 61,000 rows, 32 % fewer", "members: column email is gone", STAYS]
    failure = failure_of("\n".join(lines), Receipt.model_validate(receipt_of(61)), 12)
    assert (failure.pipelines, failure.lines, failure.folded) == ((), tuple(lines), "")


def test_what_somebody_accepted_is_who_why_and_a_line_for_each() -> None:
    given = ({"minRows": 100}, {"notNull": ["population"]})
    target, expect = STAGING, tuple(Expectation.model_validate(found) for found in given)
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit="a" * 40)
    values = Values(image=None, source=source, pipelines=(), expect=expect, accept=True)
    data = Receipt.model_validate(receipt_of(61, ["countries"]))
    note = judge_data(target, values, data, None, "ann: the census is out").note
    found = accepted_in(f"61 rows; published at http://127.0.0.1:1/{note}")
    assert found
    assert found.who == "ann: the census is out"
    assert len(found.unmet) == 2
    assert found.unmet[0].startswith("countries: 61 rows")
    assert accepted_in("61 rows; published at http://127.0.0.1:1/") is None


def test_many_lines_are_folded() -> None:
    text = "\n".join(f"line {number}" for number in range(50))
    failure = failure_of(text, None, 12)
    assert failure.lines == tuple(f"line {number}" for number in range(12))
    assert failure.folded == text


@given(some.text(), some.text(), some.integers(0, 20))
def test_nothing_of_an_error_is_lost(message: str, error: str, most: int) -> None:
    failure = failure_of(message, receipt(error=error or None, place=PLACE), most)
    shown = {*failure.lines, *(found.headline for found in failure.pipelines)}
    missing = [line for line in message.split("\n")[bool(failure.pipelines) :] if line.strip() and line not in shown]
    assert failure.folded == message or not missing
