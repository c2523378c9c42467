"""How a deployment ended, and what to say of it. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bot.model.receipt import Receipt, plain, shorten
from bot.model.values import Values
from cluster.limits import MAX_REPORT_MESSAGE
from cluster.storage.written import NOTHING_WRITTEN, WrittenItems

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
    written: WrittenItems = NOTHING_WRITTEN  # what of it is published, on one machine
    reported: bool = False
    # Of a release: later ops commits that went back to it, and when it became current (None: when it ended).
    restored_for: tuple[str, ...] = ()
    since: float | None = None
    data: Receipt | None = None  # of a release, after runs by the clock: the receipt of all that is there
    # On a cluster: the ops commits whose data is there, the last of them current; None: that is not known.
    kept: tuple[str, ...] | None = None
    deployment: int | None = None  # its number, as far as the receiver said it

    @property
    def current_data(self) -> Receipt | None:
        """Return the receipt of what a release has; None: no pipeline ran for it."""
        return self.data or self.receipt

    def is_of(self, ops_commit: str) -> bool:
        """Return whether the release is what this ops commit brought, or went back to."""
        return ops_commit == self.ops_commit or ops_commit in self.restored_for


def verdict(receipt: Receipt) -> tuple[End, str]:
    """Return the end that a receipt means, and what to say of it."""
    if receipt.status == "succeeded":
        return "succeeded", f"{receipt.rows} rows"
    failed = [pipeline for pipeline in receipt.pipelines if pipeline.status != "succeeded"]
    errors = {pipeline.id: (pipeline.error or "no message").strip() for pipeline in failed}
    # The first line of an error says it.
    reasons = [f"{pipeline.id} {pipeline.status}: {errors[pipeline.id].splitlines()[0]}" for pipeline in failed]
    details = [f"{name}:\n{text}" for name, text in errors.items() if "\n" in text]
    return "failed", "\n".join(["; ".join(reasons), *details])


def with_second_line(message: str, line: str) -> str:
    """Return the message with a second line: the first says what it is about, details come after the second."""
    first, _, rest = message.partition("\n")
    return f"{first}\n{line}\n{rest}".rstrip()


def message_text(text: str) -> str:
    """Return the text as it is stored and reported: without what PostgreSQL cannot store, and not too long."""
    return shorten(plain(text), MAX_REPORT_MESSAGE)
