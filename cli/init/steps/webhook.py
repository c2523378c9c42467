"""The webhook on the app's repository: made or mended, and tried with a ping.

https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
"""

import hashlib
import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass

import requests
from github import Github, GithubException
from github.Hook import Hook
from github.Repository import Repository

from cli.errors import InputError
from cli.init.secret_stores import SecretStore
from cli.init.steps.machine_user import find_repository
from cli.init.steps.step import Change

VARIABLE = "DPPCTL_WEBHOOK_SECRETS"
EVENTS = ("create", "delete", "push", "release")  # and ping, which is not asked for
PATH = "/webhooks/github"
_PING_SECONDS = 8.0
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class SecretStep:
    """The receiver and GitHub share a secret; on the way to another one there are two, the new one last."""

    place: SecretStore
    rotate: bool = False

    def look(self) -> Change | str:
        """What it is is told to nobody."""
        kept = _kept(self.place)
        if len(kept) > 1:
            return f"a new webhook secret is in {self.place}, beside the old one"
        if kept and not self.rotate:
            return f"the webhook's secret is in {self.place}"
        text = f"put a new webhook secret into {self.place}"
        return Change(f"{text}, beside the old one" if kept else text, lambda: self._make(kept))

    def _make(self, kept: list[str]) -> None:
        self.place.write({VARIABLE: ",".join([*kept, secrets.token_urlsafe(32)])})


def _kept(place: SecretStore) -> list[str]:
    return [one for one in (place.read(VARIABLE) or "").split(",") if one]


@dataclass(frozen=True)
class WebhookStep:
    """GitHub tells the receiver of pushes to the app's repository."""

    github: Github  # of somebody who may manage webhooks there
    repository: str  # OWNER/REPO
    address: str  # the receiver's, as GitHub reaches it
    place: SecretStore

    @property
    def url(self) -> str:
        """Where GitHub sends deliveries."""
        return f"{self.address.rstrip('/')}{PATH}"

    def look(self) -> Change | str:
        """Raises InputError when the token may not see webhooks."""
        found = self._find()
        if found is None:
            events = ", ".join(EVENTS)
            return Change(f"create the webhook {self.url} on {self.repository} ({events})", lambda: self._put(None))
        if len(_kept(self.place)) > 1:
            text = f"give the webhook {self.url} on {self.repository} the new secret, and forget the old one"
            return Change(text, lambda: self._rotate(found))
        if _differs(found):
            return Change(f"update the webhook {self.url} on {self.repository}", lambda: self._put(found))
        newest = next(iter(self._repository().get_hook_deliveries(found.id)), None)
        if newest is None or not _is_good(newest.status_code):
            return Change(f"try the webhook {self.url} with a ping", lambda: self._try(found))
        return f"the webhook {self.url} is on {self.repository}, and its last delivery arrived"

    def is_there(self) -> bool:
        """Whatever its settings are."""
        return self._find() is not None

    def remove(self) -> None:
        """Nobody is told any more."""
        if found := self._find():
            found.delete()

    def _repository(self) -> Repository:
        found = find_repository(self.github, self.repository)
        if found is None:
            raise InputError(f"the token does not reach {self.repository}; select it for the token, or check the name")
        return found

    def _find(self) -> Hook | None:
        try:
            return next((one for one in self._repository().get_hooks() if one.config.get("url") == self.url), None)
        except GithubException as error:
            if error.status not in (403, 404):  # it does not tell everybody that there is something
                raise
            raise InputError(
                f"the token may not manage the webhooks of {self.repository}; give the owner's (--owner-token-file), "
                "with the scope `repo` or Webhooks: read and write, or make the machine user an administrator there"
            ) from None

    def _rotate(self, there: Hook) -> str:
        """Once the receiver takes the new one: no delivery is refused on the way."""
        secret = _kept(self.place)[-1]
        if (answer := _knock(self.url, secret)) != 202:
            raise InputError(
                f"{self.url} does not take the new secret yet ({answer}), so GitHub keeps the old one; restart "
                "`dppctl up`, which reads it, and run dppctl init again"
            )
        told = self._put(there)
        self.place.write({VARIABLE: secret})
        return told

    def _put(self, there: Hook | None) -> str:
        config = {
            "url": self.url,
            "content_type": "json",
            "insecure_ssl": "0",
            "secret": _kept(self.place)[-1],
        }
        if there:
            there.edit("web", config, events=list(EVENTS), active=True)
        else:
            there = self._repository().create_hook("web", config, events=list(EVENTS), active=True)
        return self._try(there)

    def _try(self, hook: Hook) -> str:
        """Have GitHub send a ping, and say what came of it."""
        repository = self._repository()
        before = {one.id for one in repository.get_hook_deliveries(hook.id)}
        hook.ping()
        end = time.monotonic() + _PING_SECONDS
        while time.monotonic() < end:
            for one in repository.get_hook_deliveries(hook.id):
                if one.event == "ping" and one.id not in before:
                    return _result(self.url, one.status_code or 0, one.status or "")
            time.sleep(_POLL_SECONDS)
        return f"GitHub has not sent its ping to {self.url} yet; see the webhook's page at {self.repository}, Settings"


def _knock(url: str, secret: str) -> int | str:
    """What the receiver answers to a ping of ours that is signed with this secret, or why it does not."""
    body = json.dumps({"zen": "Is the new secret known here?"}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
    try:
        return requests.post(url, data=body, headers=headers, timeout=_PING_SECONDS).status_code
    except requests.RequestException as error:
        return f"it does not answer: {type(error).__name__}"


def _differs(hook: Hook) -> bool:
    config = hook.config
    as_it_is = (hook.active, set(hook.events), config.get("content_type"), str(config.get("insecure_ssl", "0")))
    return as_it_is != (True, set(EVENTS), "json", "0")


def _is_good(code: int | None) -> bool:
    return code is not None and 200 <= code < 300


def _result(url: str, code: int, status: str) -> str:
    if _is_good(code):
        return f"GitHub's ping reached it: {code}"
    if code == 401:
        return (
            f"GitHub's ping was answered 401: {url} has another secret; restart `dppctl up`, and it reads the new one"
        )
    if code:
        return f"GitHub's ping was answered {code} ({status}): is {url} dppctl's receiver?"
    return f"GitHub's ping did not reach {url} ({status}); does `dppctl up` run there, and can GitHub reach it?"
