"""A store and environments with every state that the pages show, and the pages that show them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from werkzeug.serving import make_server

from bot.model.decisions import Ref, Refusal
from bot.model.names import RepoPath
from bot.model.registration import Target, parse_registration
from bot.model.reports import SyncEvent
from bot.settings import load_settings
from bot.store.store import Store
from bot.store.tables import Deployment
from cli.servers.local_data import MachineData
from cluster.sync.local.data_server import DataServer
from tests.support.environments import put_rows
from tests.support.serving import in_thread
from tests.support.stores import open_new_store
from webhooks.app import create_app
from webhooks.data_pages import DataServerAddress

LONG = "organization-with-a-long-name/repository-that-has-a-very-long-name-indeed/pipelines/budget-of-the-state"
HEBREW = "hasadna/knesset-data"
APPS = f"""apps:
- {{appRepoPath: demo/tz-data, opsRepoPath: demo/ops, environments: [staging, production]}}
- {{appRepoPath: ann/failing, opsRepoPath: ann/failing-ops, environments: [staging, production]}}
- {{appRepoPath: ann/refused, opsRepoPath: ann/refused-ops, environments: [staging]}}
- {{appRepoPath: ann/many, opsRepoPath: ann/many-ops, environments: [staging]}}
- {{appRepoPath: ann/accepted, opsRepoPath: ann/accepted-ops, environments: [staging]}}
- {{appRepoPath: ann/nothing, opsRepoPath: ann/nothing-ops, environments: [staging]}}
- {{appRepoPath: ann/previews, opsRepoPath: ann/previews-ops, environments: [staging, "preview-*"]}}
- {{appRepoPath: {LONG}, opsRepoPath: ann/long-ops, environments: [staging]}}
- {{appRepoPath: {HEBREW}, opsRepoPath: hasadna/ops, environments: [staging]}}
"""
STARTED = datetime.now(UTC)
PLACE = {
    "file": "zones.py",
    "line": 33,
    "processor": "zones",
    "source": {
        "first": 31,
        "lines": [
            "    for line in lines:",
            "        # country, latitude, longitude, zone and comments",
            '        code, latitude, longitude, zone, comments = line.split("\\t")',
            "        yield {",
            '            "code": code,',
        ],
    },
}
ZONES_ERROR = (
    "zones.py:33: ValueError: not enough values to unpack (expected 5, got 3)\nzones:\n"
    'Traceback (most recent call last):\n  File "/app/zones.py", line 33, in rows\n'
    "ValueError: not enough values to unpack (expected 5, got 3)"
)


@dataclass(frozen=True)
class PageState:
    """A page, and the state that it shows."""

    name: str
    path: str


def receipt_of(rows: int, names: Sequence[str] = ("countries", "zones"), **more: Any) -> dict[str, Any]:
    """Return a receipt of a pipeline whose resources have about so many rows each."""
    fields = [
        {"name": "code", "type": "string", "nulls": 0},
        {"name": "population", "type": "integer", "nulls": 3, "least": "50", "greatest": "1411778724"},
        {"name": "name", "type": "string", "nulls": 0},
    ]
    if more.pop("is_wider", False):
        fields.append({"name": more.pop("column", "capital"), "type": "string", "nulls": 1})
    resources = [{"name": name, "rows": rows + number, "fields": fields} for number, name in enumerate(names)]
    total = sum(found["rows"] for found in resources)
    pipeline = {"id": "./countries-to-db", "status": "succeeded", "rows": total, "bytes": total * 40, "seconds": 2.5,
                "hash": f"{rows:032x}", "resources": resources, **more}  # fmt: skip
    return {"status": pipeline["status"], "pipelines": [pipeline], "started": STARTED.isoformat(),
            "ended": (STARTED + timedelta(seconds=3)).isoformat()}  # fmt: skip


class StateStore:
    """Records deployments as bot and sync do."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._number = 0

    def begin(self, app: str, environment: str, ref: str = "refs/heads/master", **columns: Any) -> int:
        """Record an ops commit, and set columns of its deployment."""
        self._number += 1
        ops_commit = f"{self._number:040x}"
        known = {"subject": "Countries have their capitals", "author": "Ann Example", **columns}
        identity = self.store.deployments.record_commit(ops_commit, app, environment, ref, f"{self._number:08x}" * 5)
        with self.store.database.write() as session:
            session.execute(update(Deployment).where(Deployment.id == identity).values(**known))
        return identity

    def report(self, identity: int, phase: str, message: str = "", **more: Any) -> int:
        """Record what sync says of it."""
        found = self.store.deployments.get(identity)
        assert found
        event = {"ops_commit": found.ops_commit, "app": found.app, "environment": found.environment, "ref": found.ref,
                 "commit": found.commit, "phase": phase, "message": message,
                 "time": datetime.now(UTC).isoformat(), **more}  # fmt: skip
        self.store.deployments.report(SyncEvent.model_validate(event))
        return identity

    def succeeded(self, app: str, environment: str, receipt: dict[str, Any], **columns: Any) -> int:
        return self.report(self.begin(app, environment, **columns), "succeeded", receipt=receipt, log="INFO: done\n")


def fill(store: Store, environments: Path) -> list[PageState]:
    """Record every state; return the pages that show them. `environments`: the folder of their databases."""
    states = StateStore(store)
    _live(states, environments)
    live = states.succeeded("demo/tz-data", "staging", receipt_of(252, is_wider=True))
    waiting = states.begin("demo/tz-data", "production", "refs/tags/v1.0.0")
    with store.database.write() as session:
        held_up = update(Deployment).where(Deployment.id == waiting)
        session.execute(held_up.values(ops_commit=None, gate="staging", state="waiting"))
    failed, running, violated = _troubled(states)
    store.deployments.refuse(
        Refusal(
            RepoPath.parse("ann/refused"), "", Ref("refs/heads/master", "e" * 40), ".dppctl.yaml:3: colour: unknown"
        )
    )
    many = [states.succeeded("ann/many", "staging", receipt_of(1000 + number % 7)) for number in range(100)][-1]
    states.succeeded("ann/previews", "staging", receipt_of(100))
    states.succeeded("ann/previews", "preview-new-column", receipt_of(103, is_wider=True), ref="refs/heads/new-column")
    message = "249 rows; accepted by ann: the source was cleaned, though countries: 249 rows, 51 % fewer (and 1 more)"
    accepted = states.report(
        states.begin("ann/refused", "staging"),
        "succeeded",
        f"{message}\nzones: column x is gone",
        receipt=receipt_of(124),
    )
    names = ["committees-of-all-knessets-with-their-members-and-their-positions", "x" * 120]
    long = states.succeeded(
        LONG,
        "staging",
        receipt_of(90_225, names),
        ref="refs/heads/" + "feature/long-" * 8 + "x",
        subject="A subject that goes on and on " * 5,
        author="A name of many parts " * 3,
    )
    hebrew = states.succeeded(
        HEBREW,
        "staging",
        receipt_of(17, ["ועדות", "חברי-כנסת"], is_wider=True, column="יושב ראש"),
        subject="ועדות הכנסת: נוספה עמודה (chair)",
        author="אורי הוך",
    )
    places = [
        *(("environment-live", "demo/tz-data/staging"), ("environment-waiting", "demo/tz-data/production")),
        *(("environment-failed", "ann/failing/staging"), ("environment-held", "ann/failing/production")),
        *(("environment-empty", "ann/nothing/staging"), ("environment-many", "ann/many/staging")),
        *(("environment-preview", "ann/previews/preview-new-column"), ("environment-long", f"{LONG}/staging")),
        ("environment-hebrew", f"{HEBREW}/staging"),
    ]
    numbers = [("live", live), ("waiting", waiting), ("failed", failed), ("running", running), ("violated", violated),
               ("many", many), ("long", long), ("hebrew", hebrew), ("accepted", accepted)]  # fmt: skip
    hold = "app=demo/tz-data&environment=staging"
    asked = store.requests.add("ann/many", "staging", "deploy", by="local:ann", login="ann", reason="again")
    return [
        PageState("start", "/"),
        PageState("start-second-page", "/?page=2"),
        *(PageState(name, f"/apps/{path}") for name, path in places),
        *(PageState(f"deployment-{name}", f"/deployments/{number}") for name, number in numbers),
        PageState("confirm-hold", f"/acts/hold?{hold}"),
        PageState("confirm-deploy", f"/acts/deploy?{hold}"),
        PageState("refused-act", "/acts/rollback?app=ann/nothing&environment=staging"),
        PageState("request", f"/requests/{asked}"),
        PageState("not-found", "/deployments/99999"),
    ]


def _live(states: StateStore, environments: Path) -> None:
    for number in range(12):
        receipt = receipt_of(230 + number)
        if number == 7:
            states.report(states.begin("demo/tz-data", "staging"), "failed", "it broke", receipt=receipt)
        else:
            states.succeeded("demo/tz-data", "staging", receipt)
    target = Target(RepoPath.parse("demo/tz-data"), RepoPath("demo/ops"), "staging")
    put_rows(environments, target, ["France", "ישראל"])


def _troubled(states: StateStore) -> tuple[int, int, int]:
    """Record what failed, what runs and what is not as expected; return the numbers of these deployments."""
    states.succeeded("ann/failing", "staging", receipt_of(90))
    message = "committees: 61,000 rows, 32 % fewer than the 90,088 of deployment 41; maxDropPercent is 20"
    lines = [message, "members: column email is gone; columns is keep", "staging stays as it was, on master (1a2b3c4d)"]
    violated = states.report(states.begin("ann/failing", "staging"), "failed", "\n".join(lines), receipt=receipt_of(61))
    failing = receipt_of(3, status="failed", error=ZONES_ERROR, place=PLACE)
    error = (
        f"./countries-to-db failed: {ZONES_ERROR.splitlines()[0]}\nstaging stays as it was, on master (1a2b3c4d5e6f)"
    )
    identity = states.begin("ann/failing", "staging")
    for rows in (100, 200, 300):
        states.report(identity, "progress", f"./countries-to-db: {rows} rows\n./zones-to-db: {rows // 2} rows")
    error += f"\n./countries-to-db:\n{ZONES_ERROR}"
    failed = states.report(identity, "failed", error, receipt=failing, log="INFO: x\n" * 200)
    running = states.report(states.begin("ann/failing", "production"), "started", "running ./countries-to-db")
    states.report(running, "progress", "./countries-to-db: 100 rows", log="INFO: y\n")
    reason = "the source is wrong until Monday"
    states.store.holds.set(
        "ann/failing", "production", reason, by="local:ann", login="ann", until=STARTED + timedelta(days=9)
    )
    return failed, running, violated


@contextmanager
def serve_states(folder: Path, *, is_empty: bool = False) -> Iterator[tuple[str, list[PageState]]]:
    """Serve the pages of every state on loopback; give their URL, and what there is. is_empty: no app is registered."""
    environments = folder / "environments"
    store = open_new_store(folder / "dppctl.sqlite")
    states = [PageState("start-empty", "/")] if is_empty else fill(store, environments)
    targets = frozenset() if is_empty else parse_registration(APPS, "apps.yaml")
    data = DataServer(environments)
    local = MachineData(environments, DataServerAddress(data.port, data.token), "http://127.0.0.1:8081")
    settings = load_settings(folder, {"DPPCTL_WEBHOOK_SECRETS": "x", "DPPCTL_GITHUB_URL": "https://github.com"})
    server = make_server("127.0.0.1", 0, create_app(settings, targets, store, local_data=local), threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    with in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}", states
    data.close()
    store.close()
