"""How a deployment ended, and what to say of it. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bot.model.reports import Receipt
from bot.model.values import Values
from cluster.limits import MAX_REPORT_MESSAGE

End = Literal["succeeded", "failed"]


class Outcome(BaseModel):
    """How a deployment ended."""

    model_config = ConfigDict(frozen=True)

    ops_commit: str
    values: Values
    phase: End
    message: str
    receipt: Receipt | None
    began: float  # when its pipelines started, in seconds of the epoch
    ended: float
    spec_folders: tuple[str, ...]  # of its pipelines, within the source
    reported: bool = False


def verdict(receipt: Receipt) -> tuple[End, str]:
    """The end that a receipt means, and what to say of it."""
    if receipt.status == "succeeded":
        return "succeeded", f"{receipt.rows} rows"
    failed = [one for one in receipt.pipelines if one.status != "succeeded"]
    said = {one.id: (one.error or "no message").strip() for one in failed}
    # First what says it: of a traceback that is the last line.
    reasons = [f"{one.id} {one.status}: {said[one.id].splitlines()[-1]}" for one in failed]
    details = [f"{name}:\n{text}" for name, text in said.items() if "\n" in text]
    return "failed", "\n".join(["; ".join(reasons), *details])


def message_text(text: str) -> str:
    """As it is kept and told: without what PostgreSQL cannot store, and not too long."""
    return _shortened(plain(text))


def plain(text: str) -> str:
    """Without what PostgreSQL cannot store."""
    return text.replace("\0", "")


def _shortened(message: str) -> str:
    """Of a long one its first line, which says what it is about, and its end."""
    if len(message) <= MAX_REPORT_MESSAGE:
        return message
    first = message.partition("\n")[0][: MAX_REPORT_MESSAGE // 2]
    return f"{first}\n…\n{message[len(first) + 3 - MAX_REPORT_MESSAGE :]}"
