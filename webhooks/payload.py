"""A webhook delivery, from headers and a body to a typed object: no I/O, and no trust in either.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from bot.errors import DppctlError

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z0-9_]{1,64}")


class DeliveryError(DppctlError):
    """The delivery is not of GitHub's form; the answer is 400."""


@dataclass(frozen=True)
class Payload:
    """What a delivery says. The repository and the ref are for the record and the wake-up, never for git."""

    id: str
    event: str
    repository: str | None  # OWNER/REPO
    ref: str | None = None  # refs/heads/… or refs/tags/…
    before: str | None = None
    after: str | None = None
    status: dict[str, str] | None = None  # of a `status` event: context, state, description
    ignored: str | None = None  # why there is nothing to do, whatever the repository

    def reason_to_ignore(self, repositories: Set[str]) -> str | None:
        """None when the bot is to look at the repository. `repositories` are the registered ones."""
        if self.ignored is None and self.registered(repositories) is None:
            return "the repository is not registered"
        return self.ignored

    def registered(self, repositories: Set[str]) -> str | None:
        """The repository's name as it is registered; at GitHub upper and lower case are the same."""
        mine = (self.repository or "").casefold()
        return next((name for name in repositories if name.casefold() == mine), None)


def parse_delivery(headers: Mapping[str, str], body: bytes) -> Payload:
    """Raises DeliveryError when a header is missing or the body is not such a payload."""
    given = {name.lower(): value for name, value in headers.items()}
    identity, event = given.get("x-github-delivery", ""), given.get("x-github-event", "")
    if not _ID.fullmatch(identity):
        raise DeliveryError("X-GitHub-Delivery is missing or not an id")
    if not _EVENT.fullmatch(event):
        raise DeliveryError("X-GitHub-Event is missing or not the name of an event")
    if given.get("content-type", "").partition(";")[0].strip().lower() == FORM_TYPE:
        body = _form_field(body)
    payload = _read(_EVENTS.get(event, _Other), body)
    repository = payload.repository.full_name if payload.repository else None
    ignored = payload.ignored.format(event=event) if payload.ignored else None
    status = payload.said() if isinstance(payload, _Status) else None
    return Payload(identity, event, repository, *payload.moved(), status=status, ignored=ignored)


_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Sha = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
# People and tools write it, so it is made fit instead of refused.
_Said = Annotated[str, BeforeValidator(lambda value: _printable(value)[:1000])]
_Moved = tuple[str | None, str | None, str | None]  # ref, before, after


class _Repository(BaseModel):
    full_name: _Text


class _Payload(BaseModel):
    """What all events share. The subclasses hold the fields that their event must have."""

    repository: _Repository | None = None  # an organization's or an app's events have none

    @property
    def ignored(self) -> str | None:
        return None

    def moved(self) -> _Moved:
        return None, None, None


class _Other(_Payload):
    @property
    def ignored(self) -> str:
        return "{event} events change nothing here"


class _Ping(_Payload):
    @property
    def ignored(self) -> str:
        return "pong; the webhook is set up"


class _Push(_Payload):
    """A branch or a tag moved: made (before is all zeros), deleted (after is), pushed or forced."""

    ref: _Text
    before: _Sha
    after: _Sha

    def moved(self) -> _Moved:
        return self.ref, self.before, self.after


class _Ref(_Payload):
    """`create` and `delete`, whose refs are short names."""

    ref: _Text
    ref_type: Literal["branch", "tag"]

    def moved(self) -> _Moved:
        return f"refs/{'heads' if self.ref_type == 'branch' else 'tags'}/{self.ref}", None, None


class _TagName(BaseModel):
    tag_name: _Text


class _Release(_Payload):
    release: _TagName

    def moved(self) -> _Moved:
        return f"refs/tags/{self.release.tag_name}", None, None


class _Status(_Payload):
    sha: _Sha
    state: _Said = ""
    context: _Said = ""
    description: _Said = ""

    def said(self) -> dict[str, str]:
        return {"state": self.state, "context": self.context, "description": self.description}

    def moved(self) -> _Moved:
        return None, None, self.sha


_EVENTS: dict[str, type[_Payload]] = {
    "ping": _Ping,
    "push": _Push,
    "create": _Ref,
    "delete": _Ref,
    "release": _Release,
    "status": _Status,
}


def _printable(value: Any) -> str:
    return "".join(one if one.isprintable() else " " for one in value) if isinstance(value, str) else ""


_Model = TypeVar("_Model", bound=BaseModel)


def _read(model: type[_Model], body: bytes) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise DeliveryError(f"{place}: {problem['msg']}") from None


def _form_field(body: bytes) -> bytes:
    try:
        return parse_qs(body, strict_parsing=True, max_num_fields=10)[b"payload"][0]
    except (KeyError, ValueError):
        raise DeliveryError("the form has no field `payload`") from None
