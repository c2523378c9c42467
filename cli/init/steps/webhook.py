"""The webhook on the app's repository: made or mended, and tried with a ping.

https://docs.github.com/en/webhooks/using-webhooks/creating-webhooks
"""

import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass

import requests
from github import Github, GithubException
from github.Hook import Hook
from github.Repository import Repository

from cli.errors import InputError
from cli.init.secret_stores import SecretStore
from cli.init.steps.repository import find_repository, refused
from cli.init.steps.step import Change
from cli.init.steps.webhook_secret import VARIABLE, kept_secrets, new_secret
from cli.limits import PING_POLL_SECONDS, PING_SECONDS

EVENTS = ("create", "delete", "push", "release")  # and ping, which is not asked for
PATH = "/webhooks/github"


@dataclass(frozen=True)
class WebhookStep:
    """GitHub tells the receiver of pushes to the app's repository."""

    github: Github  # of somebody who may manage webhooks there
    repository: str  # OWNER/REPO
    address: str  # the receiver's, as GitHub reaches it
    store: SecretStore

    @property
    def url(self) -> str:
        """Return where GitHub sends deliveries."""
        return f"{self.address.rstrip('/')}{PATH}"

    def observe(self) -> Change | str:
        """Look for the webhook, its settings and its last delivery. Raises InputError for a token that may not."""
        found = self.find()
        if found is None:
            events = ", ".join(EVENTS)
            return Change(f"create the webhook {self.url} on {self.repository} ({events})", lambda: self.put(None))
        if len(kept_secrets(self.store)) > 1:
            text = f"give the webhook {self.url} on {self.repository} the new secret, and forget the old one"
            return Change(text, lambda: self._rotate(found))
        if not kept_secrets(self.store):
            text = f"make a new secret for the webhook {self.url} on {self.repository}, as none is in {self.store}"
            return Change(text, lambda: self.put(found))
        if _differs(found):
            return Change(f"update the webhook {self.url} on {self.repository}", lambda: self.put(found))
        newest = next(iter(self._repository().get_hook_deliveries(found.id)), None)
        if newest is None or not _is_good(newest.status_code):
            return Change(f"try the webhook {self.url} with a ping", lambda: self._try(found))
        line = f"the webhook {self.url} is on {self.repository}, and its last delivery arrived"
        if others := [
            url for hook in self._hooks() if (url := hook.config.get("url", "")) != self.url and url.endswith(PATH)
        ]:
            line += f"; {', '.join(others)} is another one there: if dppctl has left that address, delete it on GitHub"
        return line

    def exists(self) -> bool:
        """Return whether the webhook exists, whatever its settings are."""
        return self.find() is not None

    def remove(self) -> None:
        """Delete the webhook; that it is gone already is fine."""
        if found := self.find():
            found.delete()

    def _repository(self) -> Repository:
        found = find_repository(self.github, self.repository)
        if found is None:
            raise InputError(f"the token does not reach {self.repository}; select it for the token, or check the name")
        return found

    def find(self) -> Hook | None:
        """Return the webhook at this address, if there is one. Raises InputError for a token that may not see it."""
        return next((hook for hook in self._hooks() if hook.config.get("url") == self.url), None)

    def _hooks(self) -> list[Hook]:
        try:
            return list(self._repository().get_hooks())
        except GithubException as error:
            raise refused(  # also for 404: whoever may not see webhooks is not told of them
                error,
                self.repository,
                f"the token may not manage the webhooks of {self.repository}; give the owner's (--owner-token-file), "
                "with the scope `repo` or Webhooks: read and write, or make the machine user an administrator there",
            ) from None

    def _rotate(self, hook: Hook) -> str:
        """Give GitHub the new secret once the receiver takes it, so that no delivery is refused on the way."""
        secret = kept_secrets(self.store)[-1]
        if (answer := _send_ping(self.url, secret)) != 202:
            raise InputError(
                f"{self.url} does not take the new secret yet ({answer}), so GitHub keeps the old one; restart "
                "`dppctl up`, which reads it, and run dppctl init again"
            )
        result = self.put(hook)
        self.store.write({VARIABLE: secret})
        return result

    def put(self, hook: Hook | None) -> str:
        """Create the webhook, or update the given one, and return what its ping came to.

        A secret that is made here goes to GitHub first, and is kept then: so what is kept is always what GitHub has.
        """
        kept = kept_secrets(self.store)
        secret = kept[-1] if kept else new_secret()
        config = {"url": self.url, "content_type": "json", "insecure_ssl": "0", "secret": secret}
        try:
            if hook:
                hook.edit("web", config, events=list(EVENTS), active=True)
            else:
                hook = self._repository().create_hook("web", config, events=list(EVENTS), active=True)
        except GithubException as error:
            raise refused(
                error, self.repository, f"the token may not change the webhooks of {self.repository}"
            ) from None
        if not kept:
            self.store.write({VARIABLE: secret})
        return self._try(hook)

    def _try(self, hook: Hook) -> str:
        """Have GitHub send a ping, and return what came of it.

        When the receiver refuses GitHub's signature and takes ours, GitHub has another secret, and gets the right one.
        """
        code, result = self._ping(hook)
        secret = kept_secrets(self.store)[-1]
        if code != 401 or _send_ping(self.url, secret) != 202:
            return result
        config = {"url": self.url, "content_type": "json", "insecure_ssl": "0", "secret": secret}
        hook.edit("web", config, events=list(EVENTS), active=True)
        _, result = self._ping(hook)
        return f"GitHub had another secret and got ours; {result}"

    def _ping(self, hook: Hook) -> tuple[int, str]:
        """Have GitHub send a ping; return how it was answered, 0: not at all, and what to say of it."""
        repository = self._repository()
        before = {delivery.id for delivery in repository.get_hook_deliveries(hook.id)}
        hook.ping()
        end = time.monotonic() + PING_SECONDS
        while time.monotonic() < end:
            for delivery in repository.get_hook_deliveries(hook.id):
                if delivery.event == "ping" and delivery.id not in before:
                    code = delivery.status_code or 0
                    return code, _result(self.url, code, delivery.status or "")
            time.sleep(PING_POLL_SECONDS)
        return (
            0,
            f"GitHub has not sent its ping to {self.url} yet; see the webhook's page at {self.repository}, Settings",
        )


@dataclass(frozen=True)
class OldWebhookStep:
    """GitHub sends nothing more to an address that dppctl has left; `archived` repositories send nothing anyway."""

    webhook: WebhookStep

    def observe(self) -> Change | str:
        """Look for the webhook; a change deletes it. A repository that is gone, or read-only, is left as it is."""
        repository = find_repository(self.webhook.github, self.webhook.repository)
        where = f"the webhook {self.webhook.url} on {self.webhook.repository}"
        if repository is None:
            return f"{where}: there is no such repository any more, or the token does not reach it"
        if repository.archived:
            return f"{where} stays: the repository is archived, which nobody can change, and sends nothing"
        if self.webhook.exists():
            return Change(f"delete {where}", self.webhook.remove)
        return f"no longer there: {where}"


@dataclass(frozen=True)
class MovedWebhookStep:
    """The webhook of another app of the same servers goes along to their new address, where the token may."""

    old: WebhookStep
    new: WebhookStep

    def observe(self) -> Change | str:
        """Look for the webhook at the old address; a change moves it. What the token may not do is said."""
        where = f"the webhook {self.old.url} on {self.old.repository}"
        try:
            exists = self.old.exists()
        except InputError as error:
            return (
                f"{where} stays, if there is one, as {error}: run `dppctl init --url {self.new.address}` for that app "
                "with a token that may, then delete the old one on GitHub"
            )
        return Change(f"move {where} to {self.new.url}", self._move) if exists else f"not there: {where}"

    def _move(self) -> str:
        """Give it the new address; where there is one already, delete it."""
        if self.new.exists():
            self.old.remove()
            return f"deleted, as {self.new.url} is there"
        return self.new.put(self.old.find())


def _send_ping(url: str, secret: str) -> int | str:
    """Return the receiver's answer to a ping of ours that is signed with this secret: a code, or why there is none."""
    body = json.dumps({"zen": "Is the new secret known here?"}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
    try:
        return requests.post(url, data=body, headers=headers, timeout=PING_SECONDS).status_code
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
