"""Show one deployment: what came out and what changed in it, or the user's own line that failed; then how it went."""

from pydantic import ValidationError

from bot.errors import DppctlError
from bot.model.data_change import DataChange
from bot.model.failures import accepted_in, failure_of
from bot.model.names import RepoPath, short
from bot.model.receipt import ErrorLocation, Receipt
from bot.settings import Settings
from bot.store.store import Store
from bot.store.tables import Deployment
from webhooks.acting import ActPages
from webhooks.dashboard import Pages
from webhooks.limits import RECENT_DELIVERIES, SHOWN_ERROR_LINES
from webhooks.resource_rows import resource_rows
from webhooks.shared_pages import SharedPage, SharedPages, render_main
from webhooks.timeline import timeline


class DeploymentView:
    """The view of `/deployments/ID`."""

    def __init__(self, settings: Settings, store: Store, pages: Pages, acts: ActPages) -> None:
        """Show the deployments of `store`, found by `pages`, with the buttons of `acts`."""
        self._settings, self._store, self._pages, self._acts = settings, store, pages, acts
        self._shared = SharedPages()

    def view(self, identity: int) -> str:
        """Return the page. Raises NotFound."""
        change = self._store.totals.change_number()  # before the rest: what changes meanwhile is told
        app = self._pages.app_of(identity)
        return self._shared.show(change, self._acts.permission(app), lambda: self._page(identity))

    def _page(self, identity: int) -> SharedPage:
        found = self._pages.find(identity)
        receipt = read_receipt(found.receipt)
        change = read_change(found.change)
        ends = [event.message for event in found.events if event.phase == "succeeded"]
        is_failure = found.state in ("failed", "refused") and found.error
        main = render_main(
            "deployment.html",
            deployment=found,
            receipt=receipt,
            data_change=change if found.state == "succeeded" else None,
            resources=resource_rows(receipt, change) if found.state == "succeeded" else [],
            failure=failure_of(found.error or "", receipt, SHOWN_ERROR_LINES) if is_failure else None,
            accepted=accepted_in(ends[-1]) if ends and found.state == "succeeded" else None,
            line_url=lambda place: self._line_url(found, place),
            timeline=timeline(found, self._store.deliveries.newest(RECENT_DELIVERIES)),
            log=self._store.deployments.log(identity),
        )
        return SharedPage(f"{found.app} {found.environment} {short(found.ref)}", main)

    def _line_url(self, deployment: Deployment, place: ErrorLocation) -> str | None:
        """Return GitHub's address of the line at the deployed commit; None when it does not come from the web."""
        try:
            app = RepoPath.parse(deployment.app)
        except DppctlError:  # an older version recorded what a report named
            return None
        path = app.file(place.file)
        return self._settings.github.line_url(app.repository, deployment.commit, path, place.line)


def read_receipt(stored: object) -> Receipt | None:
    """Return a receipt of the store; None: there is none, or one of an older version that is none any more."""
    try:
        return Receipt.model_validate(stored) if stored else None
    except ValidationError:
        return None


def read_change(stored: object) -> DataChange | None:
    """Return a change of the store; None: there is none, or it cannot be read."""
    try:
        return DataChange.model_validate(stored) if stored else None
    except ValidationError:
        return None
