"""What a form about an act says, and whether what it showed is still so. Pure, but for the id that is new each time.

The form names the act by the same values as its address, and carries what the person saw: when that has changed
meanwhile, they are told instead of being taken at their word.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bot.errors import DppctlError
from bot.model.acts import ACTS, ActPlan, WantedAct
from bot.model.names import is_ref

_NUMBER = re.compile(r"[0-9]{1,9}")
_ID = re.compile(r"[0-9a-f]{32}")
_NAMES = {
    "deploy": "Deploy",
    "rollback": "Roll back",
    "promote": "Promote",
    "hold": "Hold",
    "release": "Release",
    "cancel": "Cancel",
    "retry": "Try again",
}


class BadFormError(DppctlError):
    """A form, or an address, does not say what it should."""


@dataclass(frozen=True)
class ActForm:
    """An act as a form asks for it; its address has the part that says what is to be done."""

    app: str
    wanted: WantedAct
    ref: str | None = None  # of deploy
    rebuild: bool = False  # of deploy
    accept: bool = False  # of deploy and retry: the data as it comes out
    until: datetime | None = None  # of hold
    message: str = ""
    id: str = ""  # of the form: what is sent twice has it twice
    shown: str = ""  # what the person saw


def read_form(act: str, given: Mapping[str, str]) -> ActForm:
    """Return what a form's fields, or an address, ask for. Raises BadFormError."""
    if act not in ACTS:
        raise BadFormError(f"there is no act {act}; there are {', '.join(ACTS)}")
    wanted = WantedAct(
        act,
        _text(given, "environment"),
        source=_text(given, "source") if act == "promote" else None,
        to=_number(given, "to"),
        deployment=_number(given, "deployment") if act in ("cancel", "retry") else None,
        run=given.get("run") == "yes",
    )
    ref = given.get("ref", "").strip() or None
    if ref and not (is_ref(f"refs/heads/{ref}") or is_ref(ref)):
        raise BadFormError(f"ref: {ref[:100]!r} is no branch, tag or commit")
    form_id = given.get("form", "")
    if form_id and not _ID.fullmatch(form_id):
        raise BadFormError("form: is not one of ours")
    return ActForm(
        _text(given, "app"),
        wanted,
        ref=ref,
        rebuild=given.get("rebuild") == "yes",
        accept=act in ("deploy", "retry") and given.get("accept") == "yes",
        until=_until(given.get("until", "").strip()),
        message=given.get("message", "").strip(),
        id=form_id,
        shown=given.get("shown", "")[:2000],
    )


def new_form_id() -> str:
    """Return an id that no other form has."""
    return secrets.token_hex(16)


def fields_of(app: str, wanted: WantedAct) -> dict[str, str]:
    """Return what an address, or a form, says of an act besides its name."""
    given = {name: value for name, value in asdict(wanted).items() if name != "act" and value not in (None, False)}
    return {"app": app, **{name: "yes" if value is True else str(value) for name, value in given.items()}}


def title_of(wanted: WantedAct) -> str:
    """Return what the button says."""
    name = _NAMES[wanted.act]
    match wanted.act:
        case "rollback" if wanted.to is not None:
            return f"{name} to this" + (" by a new run" if wanted.run else "")
        case "promote":
            return f"{name} {wanted.source} to {wanted.environment}"
        case "cancel":
            return f"{name} this deployment"
    return name


def snapshot(plan: ActPlan, newest_request: int | None) -> str:
    """Return what a person is shown, in a line that can be compared later."""
    return f"{newest_request or 0} {plan.change}"


def what_changed(shown: str, now: str) -> str | None:
    """Return what is different from what a person saw, in a sentence; None: nothing."""
    if shown == now:
        return None
    _, _, seen_change = shown.partition(" ")
    request, _, change = now.partition(" ")
    if seen_change != change:
        return f"the page showed {seen_change or 'nothing'}; now it would be {change}"
    return f"somebody asked for something else meanwhile: request {request}"


def _text(given: Mapping[str, str], name: str) -> str:
    if value := given.get(name, "").strip():
        return value
    raise BadFormError(f"{name}: is missing")


def _number(given: Mapping[str, str], name: str) -> int | None:
    value = given.get(name, "").strip()
    if value and not _NUMBER.fullmatch(value):
        raise BadFormError(f"{name}: {value[:20]!r} is no number of a deployment")
    return int(value) if value else None


def _until(value: str) -> datetime | None:
    """Return a time as browsers send it (datetime-local), which is meant in UTC."""
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None
    except ValueError:
        raise BadFormError(f"until: {value[:40]!r} is no time; say 2026-01-31T18:00, in UTC") from None
