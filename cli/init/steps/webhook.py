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
from cli.init.steps.repository import find_repository
from cli.init.steps.step import Change
from cli.init.steps.webhook_secret import VARIABLE, kept_secrets
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
        found = self._find()
        if found is None:
            events = ", ".join(EVENTS)
            return Change(f"create the webhook {self.url} on {self.repository} ({events})", lambda: self._put(None))
        if len(kept_secrets(self.store)) > 1:
            text = f"give the webhook {self.url} on {self.repository} the new secret, and forget the old one"
            return Change(text, lambda: self._rotate(found))
        if _differs(found):
            return Change(f"update the webhook {self.url} on {self.repository}", lambda: self._put(found))
        newest = next(iter(self._repository().get_hook_deliveries(found.id)), None)
        if newest is None or not _is_good(newest.status_code):
            return Change(f"try the webhook {self.url} with a ping", lambda: self._try(found))
        return f"the webhook {self.url} is on {self.repository}, and its last delivery arrived"

    def exists(self) -> bool:
        """Return whether the webhook exists, whatever its settings are."""
        return self._find() is not None

    def remove(self) -> None:
        """Delete the webhook; that it is gone already is fine."""
        if found := self._find():
            found.delete()

    def _repository(self) -> Repository:
        found = find_repository(self.github, self.repository)
        if found is None:
            raise InputError(f"the token does not reach {self.repository}; select it for the token, or check the name")
        return found

    def _find(self) -> Hook | None:
        try:
            return next((hook for hook in self._repository().get_hooks() if hook.config.get("url") == self.url), None)
        except GithubException as error:
            if error.status not in (403, 404):  # 404: whoever may not see webhooks is not told of them
                raise
            raise InputError(
                f"the token may not manage the webhooks of {self.repository}; give the owner's (--owner-token-file), "
                "with the scope `repo` or Webhooks: read and write, or make the machine user an administrator there"
            ) from None

    def _rotate(self, hook: Hook) -> str:
        """Give GitHub the new secret once the receiver takes it, so that no delivery is refused on the way."""
        secret = kept_secrets(self.store)[-1]
        if (answer := _send_ping(self.url, secret)) != 202:
            raise InputError(
                f"{self.url} does not take the new secret yet ({answer}), so GitHub keeps the old one; restart "
                "`dppctl up`, which reads it, and run dppctl init again"
            )
        result = self._put(hook)
        self.store.write({VARIABLE: secret})
        return result

    def _put(self, hook: Hook | None) -> str:
        """Create the webhook, or update the given one, and return what its ping came to."""
        config = {
            "url": self.url,
            "content_type": "json",
            "insecure_ssl": "0",
            "secret": kept_secrets(self.store)[-1],
        }
        if hook:
            hook.edit("web", config, events=list(EVENTS), active=True)
        else:
            hook = self._repository().create_hook("web", config, events=list(EVENTS), active=True)
        return self._try(hook)

    def _try(self, hook: Hook) -> str:
        """Have GitHub send a ping, and return what came of it."""
        repository = self._repository()
        before = {delivery.id for delivery in repository.get_hook_deliveries(hook.id)}
        hook.ping()
        end = time.monotonic() + PING_SECONDS
        while time.monotonic() < end:
            for delivery in repository.get_hook_deliveries(hook.id):
                if delivery.event == "ping" and delivery.id not in before:
                    return _result(self.url, delivery.status_code or 0, delivery.status or "")
            time.sleep(PING_POLL_SECONDS)
        return f"GitHub has not sent its ping to {self.url} yet; see the webhook's page at {self.repository}, Settings"


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
