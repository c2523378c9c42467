"""The trailers of an ops commit's message, which say what the commit is for.

https://git-scm.com/docs/git-interpret-trailers

Sync, which sees the ops repo only, reads from them which webhook deliveries it works for, and which release is wanted
back.
"""

import re
from collections.abc import Sequence

from bot.limits import MAX_ACT_REASON, MAX_NAMED_DELIVERIES
from bot.model.decisions import AskedBy, Removal, Written
from bot.model.names import is_sha
from bot.output import one_line

ROLLBACK_TO = "Dppctl-Rollback-To"  # the ops commit whose values these are: sync switches to the release that it made
REMOVED = "Dppctl-Removed"  # why a preview goes
RUNS_AGAIN = "Dppctl-Runs-Again"  # that release is not wanted, its pipelines are to run
ACCEPT_CHANGE = "Dppctl-Accept-Change"  # the data is taken as it is, once, whatever is expected of it
_WHO = re.compile(r"^Dppctl-By: (.+)$", re.MULTILINE)
_WHY = re.compile(r"^Dppctl-Reason: (.+)$", re.MULTILINE)
_DELIVERY = re.compile(r"^Dppctl-Delivery: ([0-9A-Za-z-]{1,64})$", re.MULTILINE)


def write_trailers(update: Written) -> str:
    """Return the trailers of an update's commit, or of a removal's, a line each."""
    target = update.target
    deliveries = "".join(f"Dppctl-Delivery: {delivery}\n" for delivery in update.deliveries[-MAX_NAMED_DELIVERIES:])
    place = f"Dppctl-App: {target.app}\nDppctl-Environment: {target.environment}\n"
    if isinstance(update, Removal):
        return f"{place}{REMOVED}: {one_line(update.reason, MAX_ACT_REASON)}\n{deliveries}"
    source = update.values.source
    return (
        f"{place}"
        f"Dppctl-Source-Ref: {source.ref}\n"
        f"Dppctl-Source-Commit: {source.commit}\n"
        f"Dppctl-Image: {update.values.image or 'none'}\n"
        f"{deliveries}"
        f"{_write_asked(update.asked) if update.asked else ''}"
    )


def _write_asked(asked: AskedBy) -> str:
    """Return who asked for it and why, a line each; no text of people can begin a line of its own."""
    who = one_line(f"{asked.by} ({asked.login})" if asked.login else asked.by, MAX_ACT_REASON)
    reason = one_line(asked.reason, MAX_ACT_REASON)
    lines = [f"Dppctl-Act: {asked.act}", f"Dppctl-By: {who}", f"Dppctl-Request: {asked.request}"]
    lines += [f"Dppctl-Reason: {reason}"] if reason else []
    lines += [f"{ACCEPT_CHANGE}: yes"] if asked.accepts else []
    lines += [f"{ROLLBACK_TO}: {asked.origin}"] if asked.origin else []
    lines += [f"{RUNS_AGAIN}: yes"] if asked.origin and asked.runs else []
    return "".join(f"{line}\n" for line in lines)


def read_deliveries(message: str) -> Sequence[str]:
    """Return the ids of the webhook deliveries that a commit's message names."""
    return _DELIVERY.findall(message)[:MAX_NAMED_DELIVERIES]


def read_asker(message: str) -> str:
    """Return of a commit's message who asked for it, and why: `ann: wrong rows`; "": nobody did."""
    who, why = (found[-1] if (found := form.findall(message)) else "" for form in (_WHO, _WHY))
    login = who.rpartition(" (")[2].removesuffix(")") if who.endswith(")") else who
    return f"{login}: {why}" if login and why else login


# What `git log --format` gives of a commit for `read_restored`: its id, and the trailers about going back.
RESTORED_FORM = "%x00".join(
    ["%H", *(f"%(trailers:key={key},valueonly,separator=%x20)" for key in (ROLLBACK_TO, RUNS_AGAIN))]
)


def read_restored(text: str) -> tuple[str, str]:
    """Return of a commit in RESTORED_FORM its id, and the ops commit whose release is wanted back; "": none."""
    ops_commit, restored, runs_again = (*text.split("\0"), "", "")[:3]
    return ops_commit, restored if is_sha(restored) and not runs_again else ""
