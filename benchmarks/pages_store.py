"""A store as a large installation has it: apps with three environments each, and deployments with receipts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bot.data.compare import compare
from bot.model.receipt import Receipt
from bot.store.run_tables import CurrentData, EndedRun, RunResult
from bot.store.store import Store
from bot.store.tables import Deployment, DeploymentEvent

ENVIRONMENTS = ("integration", "staging", "production")
RESOURCES, FIELDS, RUNS = 9, 10, 400
HISTORY_APP = "ann/app-0"  # whose staging has the longest history


def registration(apps: int) -> str:
    """Return an apps.yaml of that many apps."""
    names = ", ".join(ENVIRONMENTS)
    entries = (
        f"- {{appRepoPath: ann/app-{n}, opsRepoPath: ann/ops-{n}, environments: [{names}]}}" for n in range(apps)
    )
    return "\n".join(["apps:", *entries, ""])


def fill(url: str, apps: int, deployments: int) -> None:
    """Fill a store that is new."""
    store = Store(url)
    start = datetime.now(UTC) - timedelta(minutes=20 * deployments)
    with store.database.write() as session:
        for rows in _batches(_deployments(apps, deployments, start)):
            session.execute(insert(Deployment), rows)
        events = (
            {"deployment_id": number, "time": start + timedelta(minutes=20 * number + step), "phase": phase,
             "message": "", "receipt": None}
            for number in range(1, deployments + 1)
            for step, phase in enumerate(("committed", "started", _state(number)))
        )  # fmt: skip
        for rows in _batches(events):
            session.execute(insert(DeploymentEvent), rows)
        _history(session, start)
    store.close()


def _state(number: int) -> str:
    return "failed" if number % 17 == 0 else "succeeded"


def receipt(rows: int, when: datetime) -> Receipt:
    """Return the receipt of a run of nine resources."""
    fields = [{"name": f"field_{number}", "type": "string", "nulls": number} for number in range(FIELDS)]
    resources = [{"name": f"resource-{number}", "rows": rows, "fields": fields} for number in range(RESOURCES)]
    pipeline = {"id": "./all", "status": "succeeded", "rows": rows * RESOURCES, "bytes": rows * 99, "seconds": 61.5,
                "hash": "d41d8cd98f00b204e9800998ecf8427e", "resources": resources, "stats": {}}  # fmt: skip
    times = {"started": when - timedelta(seconds=62), "ended": when}
    return Receipt.model_validate({"status": "succeeded", "pipelines": [pipeline], **times})


def _deployments(apps: int, deployments: int, start: datetime) -> Iterator[dict[str, object]]:
    for number in range(1, deployments + 1):
        app, environment = f"ann/app-{number % apps}", ENVIRONMENTS[number // apps % len(ENVIRONMENTS)]
        when = start + timedelta(minutes=20 * number)
        before, after = receipt(9_900 + number, when), receipt(9_913 + number, when)
        change = compare(before, after, number - 1)
        state = _state(number)
        yield {
            "app": app, "environment": environment, "ref": f"refs/tags/v{number}", "commit": f"{number:040x}",
            "ops_commit": f"{number:040x}", "key": f"{number:040x}", "state": state,
            "error": "./all: zones.py:33 in zones: not enough values to unpack" if state == "failed" else None,
            "receipt": after.model_dump(mode="json"), "change": change.model_dump(mode="json"),
            "summary": change.summary, "counted_rows": after.rows, "subject": "Zones have a chair column",
            "author": "Ann Example", "created": when, "changed": when + timedelta(minutes=2),
        }  # fmt: skip


def _history(session: Session, start: datetime) -> None:
    place = {"app": HISTORY_APP, "environment": "staging", "deployment_id": 1}
    runs, results = [], []
    for number in range(1, RUNS + 1):
        ended = start + timedelta(hours=number)
        status = "failed" if number % 23 == 0 else "succeeded"
        runs.append({**place, "id": number, "is_scheduled": True, "status": status, "ended": ended, "seconds": 61.5,
                     "rows": 90_000 + number, "bytes": 999_999, "summary": None})  # fmt: skip
        results += [
            {"run_id": number, "pipeline": "./all", "resource": resource, "status": status, "rows": 9_900 + number,
             "bytes": None, "seconds": None, "hash": None}
            for resource in ("", *(f"resource-{index}" for index in range(RESOURCES)))
        ]  # fmt: skip
    session.execute(insert(EndedRun), runs)
    session.execute(insert(RunResult), results)
    current = {**place, "since": start, "receipt": receipt(9_900, start).model_dump(mode="json")}
    session.execute(insert(CurrentData), [current])


def _batches(rows: Iterator[dict[str, object]], size: int = 500) -> Iterator[list[dict[str, object]]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def size_of(url: str) -> float:
    """Return the megabytes of an SQLite database."""
    return Path(url.removeprefix("sqlite:///")).stat().st_size / 1e6
