"""What the bot and sync record of a deployment, as tests need it."""

from datetime import UTC, datetime

from bot.model.decisions import Update
from bot.model.names import RepoPath
from bot.model.receipt import Receipt
from bot.model.registration import Target
from bot.model.reports import Phase, SyncEvent
from bot.model.values import Source, Values

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def event(phase: Phase, ops_commit: str = "a", message: str = "", log: str = "", **more: object) -> SyncEvent:
    return SyncEvent.model_validate(
        {
            "ops_commit": ops_commit * 40, "app": "ann/app", "environment": "staging", "ref": "refs/heads/master",
            "commit": "c" * 40, "phase": phase, "time": NOW, "message": message, "log": log, **more,
        }
    )  # fmt: skip


def update() -> Update:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit="c" * 40)
    target = Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging")
    return Update(target, Values(image=None, source=source, pipelines=()))


def receipt(rows: int) -> Receipt:
    result = {"id": "./one", "status": "succeeded", "rows": rows}
    return Receipt.model_validate({"status": "succeeded", "pipelines": [result], "started": NOW, "ended": NOW})
