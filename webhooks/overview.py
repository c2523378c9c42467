"""Show `/`: what data is where, and what was deployed.

With 200 apps the matrix is most of the work, and seldom is much of it new. So what the store says is read once for each
change, a row is rendered anew when something that it shows is another, and those who look after a change share what is
rendered.
"""

import threading
from collections.abc import Hashable, Iterator, Sequence, Set
from datetime import UTC, datetime
from operator import attrgetter

from flask import current_app, g, request
from markupsafe import Markup

from bot.model.registration import Target
from bot.store.deployment_lists import DeploymentFilter
from bot.store.deployments import EnvironmentSummary
from bot.store.store import Store
from bot.store.tables import Delivery, Deployment
from webhooks.limits import DASHBOARD_DELIVERIES, PAGE_DEPLOYMENTS, RECENT_REFUSALS
from webhooks.list_query import STATES, ListQuery, read_query
from webhooks.matrix import Matrix, MatrixRow, in_order, make_matrix
from webhooks.shared_pages import SharedPage, SharedPages, render_main
from webhooks.times import ago

_OF_DEPLOYMENT = attrgetter("id", "state", "changed", "summary", "gate", "subject", "error", "act", "login", "reason")
_OF_HOLD = attrgetter("since", "until", "reason", "login")


class Overview:
    """The view of `/`."""

    def __init__(self, targets: Set[Target], store: Store) -> None:
        """Show the deployments of `targets` that `store` knows."""
        self._targets = sorted(targets)
        self._store = store
        self._known: tuple[int, Matrix] | None = None
        self._reading = threading.Lock()
        self._rows = _RowCache()
        self._shared = SharedPages()

    def view(self) -> str:
        """Return `/`: environments, deployments and deliveries. Raises BadRequest for a filter that cannot be."""
        query = read_query(PAGE_DEPLOYMENTS)
        g.has_filters = True
        change = self._store.totals.change_number()  # before the rest: what changes meanwhile is told
        deliveries = self._store.deliveries.newest(DASHBOARD_DELIVERIES)  # they are no change
        known = tuple((delivery.id, delivery.state) for delivery in deliveries)
        return self._shared.show(change, known, lambda: self._page(query, change, deliveries))

    def _page(self, query: ListQuery, change: int, deliveries: Sequence[Delivery]) -> SharedPage:
        matrix = self.matrix(change)
        main = render_main(
            "overview.html",
            matrix=matrix,
            rows=self._rows.rendered(matrix),
            found=self._store.lists.page(query.wanted, query.page, query.size),
            query=query,
            choices=_choices(matrix, query.wanted),
            deliveries=deliveries,
            host_url=request.host_url,
        )
        return SharedPage("Deployments", main)

    def matrix(self, change: int) -> Matrix:
        """Return the matrix as it is at this change number, or at a later one."""
        with self._reading:  # those who ask at the same time wait for one reading
            if self._known is None or self._known[0] < change:
                states = self._store.deployments.environments()
                refused = self._store.lists.refused_configurations(RECENT_REFUSALS)
                self._known = change, make_matrix(self._targets, states, refused, self._store.previews.there())
            return self._known[1]


class _RowCache:
    """The rows of the matrix as HTML, each kept with what it shows. Nothing in them depends on who looks."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Hashable, Markup]] = {}

    def rendered(self, matrix: Matrix) -> Markup:
        """Return all rows."""
        now = datetime.now(UTC)
        around = request.script_root, tuple(matrix.environments)
        return Markup("").join(self._row(matrix, row, around, now) for row in matrix.rows)

    def _row(self, matrix: Matrix, row: MatrixRow, around: Hashable, now: datetime) -> Markup:
        shown = around, *_shown(row, now)
        kept = self._kept.get(row.app)
        if kept is None or kept[0] != shown:
            template = current_app.jinja_env.get_template("matrix_row.html")
            kept = shown, Markup(template.render(row=row, environments=matrix.environments))  # noqa: S704 (it escapes)
            self._kept[row.app] = kept
        return kept[1]


def _shown(row: MatrixRow, now: datetime) -> Iterator[Hashable]:
    """Yield what a row shows."""
    yield row.refusal and row.refusal.id
    for state in (*row.cells.values(), *row.previews):
        yield _shown_of(state, now)


def _shown_of(state: EnvironmentSummary, now: datetime) -> Hashable:
    deployments = (state.newest, None if state.running is state.newest else state.running)
    return (
        state.environment,
        *(_of(found, now) for found in deployments),
        state.hold and (*_OF_HOLD(state.hold), ago(state.hold.since, now)),
    )


def _of(found: Deployment | None, now: datetime) -> Hashable:
    return found and (*_OF_DEPLOYMENT(found), ago(found.changed, now))


def _choices(matrix: Matrix, wanted: DeploymentFilter) -> dict[str, list[str]]:
    """Return what each filter can be, by its name; what it is now is always among it."""
    apps = [row.app for row in matrix.rows]
    environments = [*matrix.environments, *in_order(state.environment for row in matrix.rows for state in row.previews)]
    choices = {"app": apps, "environment": environments, "state": [*STATES]}
    for name, found in choices.items():
        now = getattr(wanted, name)
        if now and now not in found:
            found.append(now)
    return choices
