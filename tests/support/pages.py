"""The pages over environments that had deployments, for tests that look at them and act."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy import update
from werkzeug.test import Client, TestResponse

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.settings import load_settings
from bot.store.store import Store
from bot.store.tables import Deployment
from bot.usage_events import UsageEvent
from tests.support.stores import open_new_store
from webhooks.acting import Record
from webhooks.app import create_app
from webhooks.data_pages import LocalData
from webhooks.visitors import Visitors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

APP = "ann/app"
ENVIRONMENTS = ("staging", "production")
ORIGIN = "http://localhost"
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
RECEIPT = {"status": "succeeded", "pipelines": [{"id": "./one", "status": "succeeded", "rows": 984, "seconds": 1.0}],
           "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:01Z"}  # fmt: skip


def deploy(store: Store, number: int, environment: str = "staging", state: str = "succeeded", **changes: Any) -> int:
    """Record that a commit was deployed there and came to that state, and that its release is kept; return its id."""
    commit, ref = f"{number:x}" * 40, f"refs/tags/v{number}"
    ops_commit = f"{number:x}{len(environment):x}" * 20
    identity = store.deployments.record_commit(ops_commit, APP, environment, ref, commit)
    if state != "waiting":
        event = {"ops_commit": ops_commit, "app": APP, "environment": environment, "ref": ref, "commit": commit,
                 "phase": "started" if state == "running" else state, "time": "2026-01-01T00:00:01Z",
                 "message": "./one: it broke" if state == "failed" else "",
                 "receipt": RECEIPT if state == "succeeded" else None}  # fmt: skip
        store.deployments.report(SyncEvent.model_validate(event))
    with store.database.write() as session:
        found = update(Deployment).where(Deployment.id == identity)
        session.execute(found.values(**{"kept": state == "succeeded", **changes}))
    return identity


@dataclass
class PagesWorld:
    """An app with staging (v1 and v2 succeeded) and production, and what was recorded of acts."""

    store: Store
    app: Flask
    events: list[UsageEvent] = field(default_factory=list)

    def client(self) -> Client:
        """Return another browser."""
        return self.app.test_client()

    def actions(self, client: Client, path: str = f"/apps/{APP}/staging") -> list[str]:
        """Return the titles of the buttons on a page."""
        text = client.get(path).get_data(as_text=True)
        found = re.search(r'<ul class="actions".*?</ul>', text, re.DOTALL)
        return re.findall(r">([^<>]+)</a>", found[0]) if found else []

    def fields(self, client: Client, act: str, **query: object) -> dict[str, str]:
        """Return what the confirmation of an act has in its form."""
        page = client.get(f"/acts/{act}", query_string={"app": APP, "environment": "staging", **query})
        assert page.status_code == 200, page.get_data(as_text=True)
        found = _FIELD.findall(page.get_data(as_text=True).partition("<main>")[2])
        return {name: unescape(value) for name, value in found}

    def send(
        self, client: Client, act: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, **more: Any
    ) -> TestResponse:
        """Send a form as a browser does."""
        sent = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return client.post(f"/acts/{act}", data=fields, headers=sent, **more)


def make_world(
    folder: Path,
    visitors: Visitors | None = None,
    record: Record | None = None,
    mounts: "Mapping[str, WSGIApplication] | None" = None,
    local_data: LocalData | None = None,
    release_of: Callable[[Target], str] | None = None,
    environments: Sequence[str] = ENVIRONMENTS,
    **settings: str,
) -> PagesWorld:
    """Return a world whose store is in a folder."""
    store = open_new_store(folder / "bot.sqlite")
    given = {"DPPCTL_WEBHOOK_SECRETS": "x", **{f"DPPCTL_{name}": value for name, value in settings.items()}}
    targets = {Target(RepoPath.parse(APP), RepoPath("ann/ops"), name) for name in environments}
    events: list[UsageEvent] = []
    loaded, write = load_settings(folder, given), record or events.append
    app = create_app(
        loaded,
        targets,
        store,
        visitors=visitors,
        record=write,
        mounts=mounts,
        local_data=local_data,
        release_of=release_of,
    )
    deploy(store, 1)
    deploy(store, 2)
    return PagesWorld(store, app, events)
