"""What is to be told, as a function of plain data."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.github.pending import StatusNotice, context, environment_name, first_line, notifications, summary
from bot.store.github_notices import PendingNotice
from bot.store.tables import ENDED, OPEN, Deployment, Notice

RECEIPT = {
    "pipelines": [{"id": "./zones", "rows": 984, "resources": [{"name": "zones", "rows": 984}]}],
    "started": "2026-01-01T00:00:00+00:00",
    "ended": "2026-01-01T00:01:05+00:00",
}


def untold(
    state: str,
    *,
    note: Notice | None = None,
    error: str | None = None,
    ops: bool = True,
    replaced: bool = False,
    **more: Any,
) -> PendingNotice:
    about = {"app": "ann/app", "environment": "staging", "ref": "refs/heads/master", "commit": "a" * 40}
    deployment = Deployment(id=1, state=state, error=error, ops_commit="b" * 40 if ops else None, **about, **more)
    return PendingNotice(deployment, note or Notice(deployment_id=1), replaced)


@pytest.mark.parametrize(
    ("one", "state", "status"),
    [
        (untold("building", ops=False), "queued", StatusNotice("pending", "it is being deployed")),
        (untold("waiting"), "queued", StatusNotice("pending", "it is being deployed")),
        (untold("waiting", ops=False, gate="staging"), "queued", StatusNotice("pending", "waits for staging")),
        (
            untold("succeeded", summary="984 rows (+3) in 1 table", receipt=RECEIPT),
            "success",
            StatusNotice("success", "984 rows (+3) in 1 table; 1 min 5 s"),
        ),
        (
            untold("succeeded", summary="9 rows in 1 table, 1 column gone: " + "x" * 100, receipt=RECEIPT),
            "success",
            StatusNotice("success", "9 rows in 1 table, 1 column gone: " + "x" * 100),
        ),
        (untold("running"), "in_progress", StatusNotice("pending", "it is being deployed")),
        (untold("succeeded"), "success", StatusNotice("success", "deployed")),
        (untold("failed", error="no\nmore"), "failure", StatusNotice("failure", "no")),
        (untold("failed", error="no build", ops=False), "error", StatusNotice("error", "no build")),
        (untold("refused", error="no", ops=False), None, StatusNotice("error", "not deployed: no")),
        (untold("skipped", error="held", ops=False), None, StatusNotice("success", "not deployed: held")),
        (untold("superseded"), None, None),
        (untold("cancelled", error="cancelled by ann: no"), None, StatusNotice("error", "cancelled by ann: no")),
        (
            untold("succeeded", act="rollback", by="github:1", login="ann", reason="wrong rows"),
            "success",
            StatusNotice("success", "deployed; rolled back by ann: wrong rows"),
        ),
        (
            untold("running", act="retry", by="local:ann", reason=""),
            "in_progress",
            StatusNotice("pending", "it is being deployed; tried again by local:ann"),
        ),
        (untold("succeeded", replaced=True), None, StatusNotice("success", "deployed")),
    ],
)
def test_what_a_deployment_is_on_github(one: PendingNotice, state: str | None, status: StatusNotice | None) -> None:
    (told,) = notifications([one])
    assert (told.state, told.status) == (state, status)


@given(st.sampled_from(sorted(OPEN | ENDED)), st.booleans(), st.booleans(), st.none() | st.text())
def test_what_was_told_is_not_told_again(state: str, ops: bool, replaced: bool, error: str | None) -> None:
    (first,) = notifications([untold(state, ops=ops, replaced=replaced, error=error)])
    note = Notice(deployment_id=1, github_id=7 if first.state else None, state=first.state)
    note.status = str(first.status) if first.status else None
    (second,) = notifications([untold(state, note=note, ops=ops, replaced=replaced, error=error)])
    assert second.status is None
    assert second.state in ((None, "inactive") if replaced else (None,))


@given(st.text())
def test_a_status_holds_one_line_of_140_characters(text: str) -> None:
    assert len(first_line(text)) <= 140
    assert "\n" not in first_line(text)


@pytest.mark.parametrize(
    ("rows", "seconds", "said"),
    [
        (90_088, 41, "90,088 rows in 41 s"),
        (1, 0, "1 row in 0 s"),
        (0, 200, "0 rows in 3 min 20 s"),
        (5, 7_500, "5 rows in 2 h 5 min"),
    ],
)
def test_rows_and_time_in_a_few_words(rows: int, seconds: int, said: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ended = (start + timedelta(seconds=seconds)).isoformat()
    receipt = {"pipelines": [{"rows": rows}, {"rows": None}], "started": start.isoformat(), "ended": ended}
    assert summary(receipt) == said
    assert summary(None) == "deployed"


def test_apps_of_one_repository_do_not_share_what_github_shows() -> None:
    assert environment_name("ann/app", "staging") == "staging"
    assert environment_name("ann/app/bud/get", "staging") == "staging (bud/get)"
    assert context("ann/app/bud/get", "staging") == "dppctl/staging (bud/get)"
    assert context("ann/app", "") == "dppctl"
