"""What people are told, decided from plain data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.alerts import (
    KINDS,
    Alert,
    AlertRules,
    EndedAttempt,
    EnvironmentNow,
    Kind,
    SentAlerts,
    decide_alerts,
    over,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FINE = EndedAttempt("deployment 2", 2, True, NOON + timedelta(minutes=1), "984 rows", rows_before=1000, rows=984)
BAD = replace(FINE, key="deployment 3", deployment=3, is_fine=False, text="zones.py:33: not enough values")
NOW = EnvironmentNow("ann/app", "staging", ended=FINE, succeeded=NOON)
TOLD = SentAlerts(NOON)


def kinds(now: EnvironmentNow, told: SentAlerts = TOLD, rules: AlertRules | None = None, days: float = 0) -> list[str]:
    time = NOON + timedelta(days=days, minutes=2)
    return [alert.kind for alert in decide_alerts(now, told, rules or AlertRules(), time)]


def test_a_success_as_always_is_no_news() -> None:
    assert kinds(NOW) == []


def test_a_failure_is_told_once_and_that_it_works_again_too() -> None:
    (alert,) = decide_alerts(replace(NOW, ended=BAD), TOLD, AlertRules(), NOON)
    expected = Alert("failed", "deployment 3", "staging of ann/app failed", "zones.py:33: not enough values", 3)
    assert alert == expected
    told = replace(TOLD, keys={"failed": alert.key})
    assert kinds(replace(NOW, ended=BAD), told) == []
    assert kinds(NOW, told) == ["recovered"]
    assert kinds(NOW, replace(told, keys={**told.keys, "recovered": alert.key})) == []
    assert kinds(replace(NOW, ended=replace(BAD, key="deployment 4")), told) == ["failed"]


def test_a_run_by_the_clock_that_fails_again_and_again_is_told_once() -> None:
    run = replace(BAD, key="run 9", is_scheduled=True)
    assert kinds(replace(NOW, ended=run, before=FINE)) == ["failed"]
    assert kinds(replace(NOW, ended=replace(run, key="run 10"), before=run)) == []


def test_what_was_over_when_the_address_was_new_is_no_news() -> None:
    old = NOON - timedelta(minutes=1)
    assert kinds(replace(NOW, ended=replace(BAD, ended=old), held=(old, "elections"))) == []


@pytest.mark.parametrize(
    ("rows", "gone", "told"), [(800, 0, True), (801, 0, False), (1200, 0, True), (1000, 1, True), (None, 0, False)]
)
def test_a_big_change_of_the_data_is_told(rows: int | None, gone: int, told: bool) -> None:
    assert ("change" in kinds(replace(NOW, ended=replace(FINE, rows=rows, columns_gone=gone)))) is told


def test_holds_and_waits_are_told_once_and_are_news_again_after_they_are_over() -> None:
    held = replace(NOW, held=(NOON, "elections"), waiting=(5, "staging"))
    alerts = list(decide_alerts(held, TOLD, AlertRules(), NOON))
    assert [(alert.kind, alert.text) for alert in alerts] == [
        ("held", "elections"),
        ("waiting", "it waits for staging"),
    ]
    told = replace(TOLD, keys={alert.kind: alert.key for alert in alerts})
    assert (kinds(held, told), over(held, told), over(NOW, told)) == ([], [], ["held", "waiting"])


def test_that_nothing_succeeds_any_more_is_told_after_some_days() -> None:
    rules = AlertRules(silent_days=3)
    assert kinds(NOW, rules=rules, days=2.9) == []
    assert kinds(NOW, rules=rules, days=3) == ["silent"]
    assert kinds(NOW, replace(TOLD, keys={"silent": NOON.isoformat()}), rules, 9) == []
    never = replace(NOW, ended=None, succeeded=None)
    assert kinds(never, rules=rules, days=3) == ["silent"]


@given(st.frozensets(st.sampled_from(KINDS)), st.booleans(), st.booleans(), st.integers(0, 2000))
def test_only_what_is_wanted_is_told_and_nothing_twice(
    wanted: frozenset[Kind], fine: bool, held: bool, rows: int
) -> None:
    now = replace(NOW, ended=replace(FINE, is_fine=fine, rows=rows), held=(NOON, "why") if held else None)
    rules = AlertRules(wanted, silent_days=1)
    alerts = list(decide_alerts(now, TOLD, rules, NOON + timedelta(days=2)))
    assert {alert.kind for alert in alerts} <= wanted
    told = replace(TOLD, keys={alert.kind: alert.key for alert in alerts})
    assert list(decide_alerts(now, told, rules, NOON + timedelta(days=2))) == []
