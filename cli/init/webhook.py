"""The webhook on the app's repository: made or mended, and tried with a ping.

https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
"""

import secrets
import time
from dataclasses import dataclass

from github import Github, UnknownObjectException
from github.Hook import Hook
from github.Repository import Repository

from cli.errors import InputError
from cli.init.access import find_repository
from cli.init.secret_places import SecretPlace
from cli.init.steps import Change

VARIABLE = "DPPCTL_WEBHOOK_SECRETS"
EVENTS = ("create", "delete", "push", "release")  # and ping, which is not asked for
PATH = "/webhooks/github"
_PING_SECONDS = 8.0
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class SecretStep:
    """There is a secret that the receiver and GitHub share. When it rotates the old one holds too."""

    place: SecretPlace
    rotate: bool = False

    def look(self) -> Change | str:
        """What it is stays here."""
        kept = self._kept()
        if kept and not self.rotate:
            return f"the webhook's secret is in {self.place}"
        text = f"put a new webhook secret into {self.place}"
        return Change(f"{text}, before the old one, which holds too" if kept else text, self._make)

    def _kept(self) -> list[str]:
        return [one for one in (self.place.read(VARIABLE) or "").split(",") if one]

    def _make(self) -> None:
        self.place.write({VARIABLE: ",".join([secrets.token_urlsafe(32), *self._kept()[:1]])})


@dataclass(frozen=True)
class WebhookStep:
    """GitHub tells the receiver of pushes to the app's repository."""

    github: Github  # of somebody who may manage webhooks there
    repository: str  # OWNER/REPO
    address: str  # the receiver's, as GitHub reaches it
    place: SecretPlace
    renew: bool = False  # the secret is new: GitHub does not tell which one it has

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
        if self.renew or _differs(found):
            return Change(f"update the webhook {self.url} on {self.repository}", lambda: self._put(found))
        return f"the webhook {self.url} is on {self.repository}"

    def remove(self) -> bool:
        """Whether there was one."""
        found = self._find()
        if found:
            found.delete()
        return found is not None

    def _repository(self) -> Repository:
        found = find_repository(self.github, self.repository)
        if found is None:
            raise InputError(f"the token does not reach {self.repository}; select it for the token, or check the name")
        return found

    def _find(self) -> Hook | None:
        try:
            return next((one for one in self._repository().get_hooks() if one.config.get("url") == self.url), None)
        except UnknownObjectException:  # GitHub's answer to who may not: it does not say that there is something
            raise InputError(
                f"the token may not manage the webhooks of {self.repository}; give the owner's (--owner-token-file), "
                "with the scope `repo` or Webhooks: read and write, or make the machine user an administrator there"
            ) from None

    def _put(self, there: Hook | None) -> str:
        config = {
            "url": self.url,
            "content_type": "json",
            "insecure_ssl": "0",
            "secret": (self.place.read(VARIABLE) or "").partition(",")[0],
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


def _differs(hook: Hook) -> bool:
    config = hook.config
    as_it_is = (hook.active, set(hook.events), config.get("content_type"), str(config.get("insecure_ssl", "0")))
    return as_it_is != (True, set(EVENTS), "json", "0")


def _result(url: str, code: int, status: str) -> str:
    if 200 <= code < 300:
        return f"GitHub's ping reached it: {code}"
    if code == 401:
        return (
            f"GitHub's ping was answered 401: {url} has another secret; restart `dppctl up`, and it reads the new one"
        )
    if code:
        return f"GitHub's ping was answered {code} ({status}): is {url} dppctl's receiver?"
    return f"GitHub's ping did not reach {url} ({status}); does `dppctl up` run there, and can GitHub reach it?"
