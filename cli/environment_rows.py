"""What runs in which environment, as `dppctl list environments` and `dppctl status` have it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.model.file_names import REGISTRATION_FILE
from bot.model.names import short
from bot.model.registration import check_registered, read_registration

if TYPE_CHECKING:
    from bot.model.next_runs import NextRun
    from bot.model.registration import Target
    from bot.store.deployments import EnvironmentSummary
    from bot.store.store import Store
    from bot.store.tables import Deployment

_COLUMNS = {
    "app": "app",
    "environment": "environment",
    "state": "state",
    "runs": "ref",
    "data": "data",
    "since": "since",
    "next run": "next run",
    "why": "why",
}


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns of a table of these rows; without schedules there is none for the next run."""
    is_scheduled = any(row["next run"] for row in rows)
    return {heading: key for heading, key in _COLUMNS.items() if key != "next run" or is_scheduled}


def registered(config: Path) -> "frozenset[Target]":
    """Return what apps.yaml in this folder registers. Raises DppctlError."""
    return read_registration(config / REGISTRATION_FILE)


def refuse_unknown(config: Path, app: str | None, environment: str | None = None) -> None:
    """Raise DppctlError, with what was probably meant, for an app or environment that apps.yaml, if any, has not."""
    if (config / REGISTRATION_FILE).exists():
        check_registered(app, environment, registered(config))


def environment_rows(store: "Store", targets: "Iterable[Target]") -> list[dict[str, Any]]:
    """Return a row for each environment that is registered, or has had a deployment; by app, production last.

    state: of the newest deployment, `held`, or `nothing yet`; ref, commit, data, since: of what runs there; why: what
    people should know of the state.
    """
    from bot.model.next_runs import next_runs

    known = {(found.app, found.environment): found for found in store.deployments.environments()}
    places = {*known, *((str(target.app), target.environment) for target in targets)}
    ordered = sorted(places, key=lambda place: (place[0], place[1].startswith("prod"), place[1]))
    schedules, now = store.schedules.all(), datetime.now(UTC)
    return [_row(*place, known.get(place), next_runs(schedules.get(place, ()), now)) for place in ordered]


def _row(app: str, environment: str, found: "EnvironmentSummary | None", runs: "list[NextRun]") -> dict[str, Any]:
    newest, running, hold = (found.newest, found.running, found.hold) if found else (None, None, None)
    why = f"held: {hold.reason}" if hold else _why(newest) if newest else None
    rows = running.rows if running else None
    return {
        "app": app,
        "environment": environment,
        "state": "held" if hold else newest.state if newest else "nothing yet",
        "deployment": newest.id if newest else None,
        "ref": short(running.ref) if running else None,
        "commit": running.commit if running else None,
        "rows": rows,
        "data": (running and running.summary) or (f"{rows:,} rows" if rows is not None else None),
        "since": running.changed.isoformat() if running else None,
        "next run": runs[0].time.isoformat() if runs else None,
        "why": why,
    }


def _why(newest: "Deployment") -> str | None:
    if newest.gate:
        return f"waits for {newest.gate}"
    return newest.error.partition("\n")[0] if newest.error else None
