"""What GitHub was notified of, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta

from bot.store.store import Store
from tests.support.reports import NOW, event


def test_what_github_was_not_told_is_kept(store: Store) -> None:
    store.deployments.report(event("started", "a"))
    (one,) = store.notices.pending(NOW - timedelta(days=1))
    assert (one.notice.github_id, one.is_replaced) == (None, False)
    store.notices.record(one.deployment.id, github_id=2**40, state="in_progress")
    store.notices.record(one.deployment.id, changed=one.deployment.changed, seen="running")
    assert store.notices.pending(NOW - timedelta(days=1)) == []
    store.deployments.report(event("succeeded", "a"))
    (one,) = store.notices.pending(NOW - timedelta(days=1))
    assert (one.notice.github_id, one.notice.state) == (2**40, "in_progress")
    assert store.notices.pending(datetime.now(UTC) + timedelta(days=1)) == []
    store.notices.record(one.deployment.id, state="success", changed=one.deployment.changed, seen="succeeded")
    store.deployments.report(event("succeeded", "b"))
    replaced, newest = store.notices.pending(NOW - timedelta(days=1))  # though no time has passed
    assert (replaced.deployment.id, replaced.is_replaced, newest.is_replaced) == (one.deployment.id, True, False)
    assert [old.deployment.id for old in store.notices.pending(datetime.now(UTC) + timedelta(days=1))] == [
        one.deployment.id
    ]
