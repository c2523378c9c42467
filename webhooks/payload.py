"""Read a webhook delivery, from headers and a body to a typed event: no I/O, and no trust in either.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from bot.errors import DppctlError
from bot.model.webhook_events import Deleted, Event, Ignored, Ping, Push, Status, Tag

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAME = re.compile(r"[a-z0-9_]{1,64}")


class DeliveryError(DppctlError):
    """The delivery does not have GitHub's form; the answer is 400."""


def read_delivery(headers: Mapping[str, str], body: bytes) -> tuple[str, Event]:
    """Return a delivery's id, which a redelivery has too, and its event: Push, Tag, Deleted, Status, Ping or Ignored.

    `headers`: X-GitHub-Delivery, X-GitHub-Event and Content-Type, in any case. Raises DeliveryError when a header is
    missing or the body is not the event's payload.
    """
    given = {name.lower(): value for name, value in headers.items()}
    identity, name = given.get("x-github-delivery", ""), given.get("x-github-event", "")
    if not _ID.fullmatch(identity):
        raise DeliveryError("X-GitHub-Delivery is missing or not an id")
    if not _NAME.fullmatch(name):
        raise DeliveryError("X-GitHub-Event is missing or not the name of an event")
    if media_type(given.get("content-type", "")) == FORM_TYPE:
        body = _form_field(body)
    return identity, _read(_PAYLOADS.get(name, _Payload), body).event(name)


def media_type(content_type: str) -> str:
    """Return a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Sha = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
# People and tools write it, so it is made fit instead of refused.
_FreeText = Annotated[str, BeforeValidator(lambda value: _printable(value)[:1000])]


class _Repository(BaseModel):
    full_name: _Text


class _Payload(BaseModel):
    """What the payloads of all events share. The subclasses hold the fields that their event must have."""

    repository: _Repository | None = None  # an organization's or an app's events have none

    @property
    def repository_name(self) -> str | None:
        return self.repository.full_name if self.repository else None

    def event(self, name: str) -> Event:
        return Ignored(name, self.repository_name)


class _Ping(_Payload):
    def event(self, name: str) -> Event:
        return Ping(name, self.repository_name)


class _Push(_Payload):
    """A branch or a tag was created (before is all zeros), deleted (after is), pushed or forced."""

    ref: _Text
    before: _Sha
    after: _Sha

    def event(self, name: str) -> Event:
        kind = Deleted if not self.after.strip("0") else Tag if self.ref.startswith("refs/tags/") else Push
        return kind(name, self.repository_name, self.ref, self.before, self.after)


class _Ref(_Payload):
    """`create` and `delete`, whose refs are short names."""

    ref: _Text
    ref_type: Literal["branch", "tag"]

    def event(self, name: str) -> Event:
        kind, folder = (Push, "heads") if self.ref_type == "branch" else (Tag, "tags")
        return (Deleted if name == "delete" else kind)(name, self.repository_name, f"refs/{folder}/{self.ref}")


class _TagName(BaseModel):
    tag_name: _Text


class _Release(_Payload):
    release: _TagName

    def event(self, name: str) -> Event:
        return Tag(name, self.repository_name, f"refs/tags/{self.release.tag_name}")


class _Status(_Payload):
    sha: _Sha
    state: _FreeText = ""
    context: _FreeText = ""
    description: _FreeText = ""

    def event(self, name: str) -> Event:
        return Status(name, self.repository_name, self.sha, self.state, self.context, self.description)


_PAYLOADS: dict[str, type[_Payload]] = {
    "ping": _Ping,
    "push": _Push,
    "create": _Ref,
    "delete": _Ref,
    "release": _Release,
    "status": _Status,
}


def _printable(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(character if character.isprintable() else " " for character in text)


_Model = TypeVar("_Model", bound=BaseModel)


def _read(model: type[_Model], body: bytes) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise DeliveryError(f"{where}: {problem['msg']}") from None


def _form_field(body: bytes) -> bytes:
    try:
        return parse_qs(body, strict_parsing=True, max_num_fields=10)[b"payload"][0]
    except (KeyError, ValueError):
        raise DeliveryError("the form has no field `payload`") from None
