"""The trailers of an ops commit's message, which say what the commit is for.

https://git-scm.com/docs/git-interpret-trailers

Sync, which sees the ops repo only, reads from them which webhook deliveries it works for.
"""

import re
from collections.abc import Sequence

from bot.limits import MAX_NAMED_DELIVERIES
from bot.model.decisions import Update

_DELIVERY = re.compile(r"^Dppctl-Delivery: ([0-9A-Za-z-]{1,64})$", re.MULTILINE)


def write_trailers(update: Update) -> str:
    """Return the trailers of an update's commit, a line each."""
    target, source = update.target, update.values.source
    deliveries = "".join(f"Dppctl-Delivery: {delivery}\n" for delivery in update.deliveries[-MAX_NAMED_DELIVERIES:])
    return (
        f"Dppctl-App: {target.app}\n"
        f"Dppctl-Environment: {target.environment}\n"
        f"Dppctl-Source-Ref: {source.ref}\n"
        f"Dppctl-Source-Commit: {source.commit}\n"
        f"Dppctl-Image: {update.values.image or 'none'}\n"
        f"{deliveries}"
    )


def read_deliveries(message: str) -> Sequence[str]:
    """Return the ids of the webhook deliveries that a commit's message names."""
    return _DELIVERY.findall(message)[:MAX_NAMED_DELIVERIES]
