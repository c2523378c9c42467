"""Show an environment: what data is there, since when, by whom and from what; what it waits for; its history."""

from collections.abc import Callable
from datetime import UTC, datetime

from flask import url_for
from werkzeug.exceptions import NotFound

from bot.model.data_change import DataChange
from bot.model.next_runs import next_runs
from bot.store.deployment_lists import DeploymentFilter
from bot.store.deployments import EnvironmentSummary
from bot.store.run_tables import CurrentData
from bot.store.store import Store
from bot.store.tables import Deployment
from webhooks.acting import ActPages
from webhooks.dashboard import Pages
from webhooks.data_pages import DataPages, TableLink
from webhooks.deployment_page import read_change, read_receipt
from webhooks.limits import CHART_RUNS, ENVIRONMENT_DEPLOYMENTS, ENVIRONMENT_REQUESTS
from webhooks.resource_rows import ResourceRow, resource_rows
from webhooks.shared_pages import SharedPage, SharedPages, render_main


class EnvironmentView:
    """The view of `/apps/OWNER/REPO/PATH/ENVIRONMENT`."""

    def __init__(
        self,
        store: Store,
        pages: Pages,
        data: DataPages,
        acts: ActPages,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Show what `store` knows, with links to the data and the buttons of `acts`; `now`: a clock."""
        self._store, self._pages, self._data, self._acts, self._now = store, pages, data, acts, now
        self._shared = SharedPages()

    def view(self, app: str, environment: str) -> str:
        """Return the page. Raises NotFound."""
        if not self._pages.is_registered(app, environment):
            raise NotFound("there is no such environment")
        change = self._store.totals.change_number()  # before the rest: what changes meanwhile is told
        shown = self._acts.permission(app), self._data.state(app, environment)
        return self._shared.show(change, shown, lambda: self._page(app, environment))

    def _page(self, app: str, environment: str) -> SharedPage:
        deployments = self._store.deployments.newest(ENVIRONMENT_DEPLOYMENTS, app, environment)
        current = self._store.history.current(app, environment)
        running = self._running(app, environment, current)
        runs = self._store.history.runs(app, environment, CHART_RUNS)
        newest = next((found for found in deployments if found.state != "resolved"), None)
        succeeded = next((run for run in runs if run.status == "succeeded"), None)
        is_scheduled = bool(succeeded and succeeded.is_scheduled)
        change = None if is_scheduled or running is None else read_change(running.change)
        resources = resource_rows(read_receipt(current.receipt if current else running and running.receipt), change)
        main = render_main(
            "environment.html",
            app=app,
            environment=environment,
            summary=EnvironmentSummary(app, environment, newest, running, self._store.holds.get(app, environment)),
            since=current.since if current else running and running.changed,
            data_line=_data_line(running, change, succeeded.summary if succeeded and is_scheduled else None),
            resources=resources,
            tables=link_tables(resources, tables := self._data.tables(app, environment)),
            other_tables=_others(resources, tables),
            series=self._store.history.series(app, environment, limit=CHART_RUNS) if runs else {},
            runs=runs,
            next_runs=next_runs(self._store.schedules.get(app, environment), self._now()),
            deployments=deployments,
            asked=self._store.requests.newest(app, environment, ENVIRONMENT_REQUESTS),
        )
        feed = url_for("feed", app=app, environment=environment)
        return SharedPage(f"{environment} of {app}", main, feed)

    def _running(self, app: str, environment: str, current: CurrentData | None) -> Deployment | None:
        """Return the deployment whose data is there: of an older store the newest that succeeded."""
        if current:
            return self._store.deployments.get(current.deployment_id)
        found = self._store.lists.page(DeploymentFilter(app, environment, "succeeded"), 1, 1).deployments
        return self._store.deployments.get(found[0].id) if found else None


def link_tables(resources: list[ResourceRow], tables: list[TableLink]) -> dict[str, TableLink]:
    """Return by the name of a resource the table that has its name, also with `_` in the place of other marks."""
    known = {_plain(table.name): table for table in tables}
    return {found.name: known[_plain(found.name)] for found in resources if _plain(found.name) in known}


def _others(resources: list[ResourceRow], tables: list[TableLink]) -> list[TableLink]:
    linked = {table.name for table in link_tables(resources, tables).values()}
    return [table for table in tables if table.name not in linked]


def _plain(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name.lower())


def _data_line(running: Deployment | None, change: DataChange | None, by_schedule: str | None) -> str:
    """Return in a line what data is there."""
    if by_schedule:
        return by_schedule
    if change and change.summary:
        return change.summary
    if running and running.rows is not None:
        return f"{running.rows:,} rows"
    return ""
