"""Decide from plain data what GitHub should show of deployments, and what of that it does not show yet.

Level-triggered like the rest: what a deployment is now counts, not what happened to it in between. So states that
came and went while GitHub did not answer are never told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot.limits import MAX_STATUS
from bot.model.acts import PAST
from bot.model.names import RepoPath
from bot.store.github_notices import PendingNotice
from bot.store.tables import Deployment

# https://docs.github.com/en/rest/deployments/statuses and https://docs.github.com/en/rest/commits/statuses
State = Literal["queued", "in_progress", "success", "failure", "error", "inactive"]
StatusState = Literal["pending", "success", "failure", "error"]
_STATES: dict[str, State] = {
    "building": "queued",
    "waiting": "queued",
    "running": "in_progress",
    "succeeded": "success",
}


@dataclass(frozen=True)
class StatusNotice:
    """The status of a commit."""

    state: StatusState
    description: str

    def __str__(self) -> str:
        return f"{self.state}: {self.description}"


@dataclass(frozen=True)
class Notification:
    """What GitHub is to be told of a deployment: a state, a commit status, or None of these."""

    deployment: Deployment
    github_id: int | None
    state: State | None
    status: StatusNotice | None


def notifications(pending: Iterable[PendingNotice]) -> list[Notification]:
    """Return what GitHub is to be told of each deployment, in their order."""
    return [_notification(notice) for notice in pending]


def _notification(pending: PendingNotice) -> Notification:
    state, status = _state(pending), _status(pending.deployment, pending.notice.status is not None)
    return Notification(
        pending.deployment,
        pending.notice.github_id,
        state if state != pending.notice.state else None,
        status if status and str(status) != pending.notice.status else None,
    )


def _state(pending: PendingNotice) -> State | None:
    deployment = pending.deployment
    if deployment.state in ("refused", "skipped", "resolved"):
        return None  # GitHub would show an environment where nothing ever was
    if deployment.state == "failed":
        return "failure" if deployment.ops_commit else "error"  # it never came so far as to run
    if deployment.state in ("superseded", "cancelled") or pending.is_replaced:
        return "inactive" if pending.notice.github_id else None
    return _STATES[deployment.state]


def _status(deployment: Deployment, was_shown: bool) -> StatusNotice | None:
    error = first_line(deployment.error or "it failed")
    match deployment.state:
        case "succeeded":
            return StatusNotice("success", first_line(f"{_came_out(deployment)}{_by_hand(deployment)}"))
        case "cancelled":
            return StatusNotice("error", error)
        case "failed":
            return StatusNotice("failure" if deployment.ops_commit else "error", error)
        case "refused":
            return StatusNotice("error", first_line(f"not deployed: {deployment.error}"))
        case "skipped":
            return StatusNotice("success", first_line(f"not deployed: {deployment.error}"))
        case "resolved":  # its commit was not deployed all the same
            return None
        case "superseded":  # what never began is nobody's news
            return StatusNotice("error", "a newer commit came before it was deployed") if was_shown else None
    doing = f"waits for {deployment.gate}" if deployment.gate else "it is being deployed"
    return StatusNotice("pending", first_line(f"{doing}{_by_hand(deployment)}"))


def _by_hand(deployment: Deployment) -> str:
    """Return who asked for a deployment, and why: `; rolled back by ann: wrong rows`; "" when nobody did."""
    if not deployment.act or not deployment.by:
        return ""
    what = PAST.get(deployment.act, deployment.act) if deployment.act != "cancel" else "back, as another was cancelled"
    why = f": {deployment.reason}" if deployment.reason else ""
    return f"; {what} by {deployment.login or deployment.by}{why}"


def _came_out(deployment: Deployment) -> str:
    """Return what came out of a deployment: `984 rows (+3) in 3 tables; 41 s`, the seconds only where they fit too."""
    receipt, line = deployment.receipt, deployment.summary
    if not (receipt and line and any(pipeline.get("resources") for pipeline in receipt["pipelines"])):
        return summary(receipt)
    full = f"{line}; {_duration(_seconds(receipt))}"
    return full if len(full) <= MAX_STATUS else line


def summary(receipt: dict[str, Any] | None) -> str:
    """Summarize a receipt, as the store has it: `90,088 rows in 41 s`."""
    if not receipt:
        return "deployed"
    rows = sum(pipeline.get("rows") or 0 for pipeline in receipt["pipelines"])
    return f"{rows:,} row{'' if rows == 1 else 's'} in {_duration(_seconds(receipt))}"


def _seconds(receipt: dict[str, Any]) -> int:
    started, ended = (datetime.fromisoformat(receipt[name]) for name in ("started", "ended"))
    return round((ended - started).total_seconds())


def first_line(text: str) -> str:
    """Return as much of a text's first line as a status holds."""
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= MAX_STATUS else f"{line[: MAX_STATUS - 1]}…"


def environment_name(app: str, environment: str) -> str:
    """Return what an environment is called on GitHub, where apps of one repository must not share one."""
    path = RepoPath.parse(app).path
    return f"{environment} ({path})" if path else environment


def context(app: str, environment: str) -> str:
    """Return a status' name beside the commit."""
    path = RepoPath.parse(app).path
    name = f"dppctl/{environment}" if environment else "dppctl"  # the whole .dppctl.yaml was refused
    return f"{name} ({path})" if path else name


def _duration(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
