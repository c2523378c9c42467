"""A webhook delivery, from headers and a body to a typed object: no I/O, and no trust in either.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from pydantic import BaseModel, Field, ValidationError

from bot.errors import BotError

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,64}")

# Branch or tag moved: that is all the bot needs to be told.
_EVENTS = frozenset({"push", "create", "delete", "release"})


class DeliveryError(BotError):
    """The delivery is not of GitHub's form; the answer is 400."""


@dataclass(frozen=True)
class Delivery:
    """What a delivery says. The repository and the ref are for the record and the wake-up, never for git."""

    id: str
    event: str
    repository: str | None  # OWNER/REPO
    ref: str | None = None
    before: str | None = None
    after: str | None = None

    def outcome(self, repositories: Set[str]) -> str:
        """`accepted`, or why there is nothing to do. `repositories` are the registered ones."""
        if self.event not in _EVENTS:
            return f"ignored: {self.event} events change nothing here"
        if self.registered(repositories) is None:
            return "ignored: the repository is not registered"
        return "accepted"

    def registered(self, repositories: Set[str]) -> str | None:
        """The repository's name as it is registered; at GitHub upper and lower case are the same."""
        mine = (self.repository or "").casefold()
        return next((name for name in repositories if name.casefold() == mine), None)


_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f]*$")]
_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")]


class _Repository(BaseModel):
    full_name: _Text


class _Payload(BaseModel):
    repository: _Repository | None = None
    ref: _Text | None = None
    before: _Sha | None = None
    after: _Sha | None = None


def parse_delivery(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Raises DeliveryError when a header is missing or the body is not such a payload."""
    given = {name.lower(): value for name, value in headers.items()}
    identity, event = given.get("x-github-delivery", ""), given.get("x-github-event", "")
    if not _ID.fullmatch(identity):
        raise DeliveryError("X-GitHub-Delivery is missing or not an id")
    if not _EVENT.fullmatch(event):
        raise DeliveryError("X-GitHub-Event is missing or not the name of an event")
    if given.get("content-type", "").partition(";")[0].strip().lower() == FORM_TYPE:
        body = _form_field(body)
    try:
        payload = _Payload.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise DeliveryError(f"{place}: {problem['msg']}") from None
    repository = payload.repository.full_name if payload.repository else None
    return Delivery(identity, event, repository, payload.ref, payload.before, payload.after)


def _form_field(body: bytes) -> bytes:
    try:
        return parse_qs(body, strict_parsing=True, max_num_fields=10)[b"payload"][0]
    except (KeyError, ValueError):
        raise DeliveryError("the form has no field `payload`") from None
