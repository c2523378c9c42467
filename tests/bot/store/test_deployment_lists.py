"""Lists of deployments, on SQLite and on PostgreSQL."""

import pytest
from sqlalchemy.orm.exc import DetachedInstanceError

from bot.store.deployment_lists import DeploymentFilter
from bot.store.store import Store
from tests.support.reports import event, receipt


def test_a_list_is_read_in_pages_of_what_is_meant(store: Store) -> None:
    for number in range(7):
        phase, environment = ("failed", "production") if number % 3 == 0 else ("succeeded", "staging")
        store.deployments.report(event(phase, f"{number}").model_copy(update={"environment": environment}))
    everything = store.lists.page(DeploymentFilter(), 1, 5)
    assert [found.id for found in everything.deployments] == [7, 6, 5, 4, 3]
    assert (everything.total, everything.first, everything.last, everything.has_next) == (7, 1, 5, True)
    rest = store.lists.page(DeploymentFilter(), 2, 5)
    assert ([found.id for found in rest.deployments], rest.has_next) == ([2, 1], False)
    beyond = store.lists.page(DeploymentFilter(), 3, 5)
    assert (beyond.deployments, beyond.first, beyond.last) == ([], 0, 0)

    failed = store.lists.page(DeploymentFilter("ann/app", "production", "failed"), 1, 5)
    assert ([found.id for found in failed.deployments], failed.total) == ([7, 4, 1], 3)
    for nothing in (DeploymentFilter("bob/app"), DeploymentFilter("ann/app", "staging", "failed")):
        assert store.lists.page(nothing, 1, 5).total == 0


def test_lists_leave_the_large_documents_in_the_database(store: Store) -> None:
    store.deployments.report(event("succeeded", receipt=receipt(3)))
    (environment,) = store.deployments.environments()
    (listed,) = store.lists.page(DeploymentFilter(), 1, 5).deployments
    for found in (environment.running, listed):
        assert found
        assert found.rows == 3
        with pytest.raises(DetachedInstanceError):
            _ = found.receipt
