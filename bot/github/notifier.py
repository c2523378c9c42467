"""Notify GitHub of what became of deployments, and ask it for lost deliveries.

A thread of its own, so that a GitHub that is slow or away never holds up a deployment. What cannot be told now is told
later: it is in the store until it was.
"""

import time
from collections import deque
from collections.abc import Callable, Set
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot import limits
from bot.backoff import Backoff
from bot.github.client import Client
from bot.github.credentials import Credentials
from bot.github.errors import GitHubError, GitHubRefusedError
from bot.github.pending import Notification, StatusNotice, context, environment_name, notifications
from bot.github.preview_comments import PreviewComments
from bot.github.redeliveries import Attempt, lost, to_ask_for
from bot.logs import bind_push
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.polling_thread import PollingThread
from bot.settings import Settings
from bot.store.store import Store
from bot.store.tables import Deployment

_HOOK_PATH = "/webhooks/github"


class Notifier(PollingThread):
    """Talks to GitHub's API in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        targets: Set[Target],
        store: Store,
        credentials: Credentials,
        leads: Callable[[], bool],
    ) -> None:
        """`leads` tells whether this bot is the one that works, of several that share a store."""
        super().__init__("github", limits.GITHUB_POLL_SECONDS, leads)
        self._settings = settings
        self._repositories = sorted({target.app.repository for target in targets})
        self._store = store
        self._client = Client(settings, credentials)
        self._comments = PreviewComments(store, self._client, self._page)
        self._backoff = Backoff[str]()
        self._writes: deque[float] = deque(maxlen=limits.GITHUB_WRITES_AN_HOUR)
        self._logged: dict[str, str] = {}  # by what failed, the last message: the same is logged once
        self._not_before = 0.0
        self._change = -1  # the store's change number when GitHub knew all
        self._next_look = 0.0

    def on_broken(self) -> None:
        """Leave GitHub alone for a while: its answer may be what nobody expected."""
        self._backoff.failed("GitHub")

    def work(self, now: datetime) -> None:
        """Do one round: what GitHub is to be told now, and lost deliveries when it is time for that."""
        calls, errors = self._client.calls, self._client.errors
        change = self._store.totals.change_number()
        is_due = change != self._change or bool(self._backoff.due())
        if self._settings.github.shows_deployments and is_due and not self._must_wait():
            self._change = change if self._notify(now) else -1
        if self._settings.github.shows_deployments:
            for repository, tell in self._comments.work(change):
                if repository in self._repositories and not self._stop.is_set():
                    self._attempt(f"comments of {repository}", repository, tell)
        if self._looks_for_lost() and time.monotonic() >= self._next_look and not self._must_wait():
            self._next_look = time.monotonic() + self._look_seconds()
            for repository in self._repositories:
                self._attempt(f"deliveries of {repository}", repository, partial(self._ask_again, repository))
        if self._client.calls != calls:
            more = {"github_calls": self._client.calls - calls, "github_errors": self._client.errors - errors}
            self._store.totals.add(more)

    # --- deployments

    def _notify(self, now: datetime) -> bool:
        """Tell GitHub what it does not know yet; return whether that is all, or more as soon as it takes it."""
        since = now - timedelta(days=limits.TELL_DAYS)
        is_all = True
        for notification in notifications(self._store.notices.pending(since)):
            if self._stop.is_set() or self._must_wait():
                return False
            repository = RepoPath.parse(notification.deployment.app).repository
            if repository not in self._repositories:
                continue  # it is not registered any more
            key = f"deployment {notification.deployment.id}"
            send = partial(self._send, notification)
            if self._backoff.waits(key):
                is_all = False
                continue
            deployment = notification.deployment
            deliveries = self._store.deliveries.of_push(repository, deployment.ref, deployment.commit)
            with bind_push(deliveries, app=deployment.app, environment=deployment.environment):
                is_all &= self._attempt(key, repository, send)
        if is_all:
            self._backoff = Backoff[str]()  # with what was dropped
        return is_all

    def _send(self, notification: Notification) -> None:
        deployment = notification.deployment
        if notification.state:
            github_id = notification.github_id or self._github_deployment(deployment)
            self._post(deployment, f"deployments/{github_id}/statuses", self._deployment_status(notification))
            self._store.notices.record(deployment.id, state=notification.state)
        if status := notification.status:
            self._post(deployment, f"statuses/{deployment.commit}", self._commit_status(deployment, status))
            self._store.notices.record(deployment.id, status=str(status))
        self._store.notices.record(deployment.id, changed=deployment.changed, seen=deployment.state)

    def _github_deployment(self, deployment: Deployment) -> int:
        """Return GitHub's id for a deployment. It may exist already, when we ended before that was recorded."""
        environment = environment_name(deployment.app, deployment.environment)
        mark = {"dppctl": f"{deployment.id} {deployment.created.isoformat()}"}
        repository = RepoPath.parse(deployment.app).repository
        query = {"sha": deployment.commit, "environment": environment}
        known = self._client.get(repository, "deployments", **query)
        found = next((deployment["id"] for deployment in known if deployment["payload"] == mark), None)
        if found is None:
            body = {
                "ref": deployment.commit,
                "environment": environment,
                "description": f"{deployment.app} by dppctl",
                "payload": mark,
                "auto_merge": False,
                "required_contexts": [],  # what checks say about the commit is not our concern
                "production_environment": deployment.environment.startswith("prod"),
            }
            found = self._post(deployment, "deployments", body)["id"]
        self._store.notices.record(deployment.id, github_id=found)
        return int(found)

    def _deployment_status(self, notification: Notification) -> dict[str, object]:
        deployment = notification.deployment
        # GitHub would not know of several apps in one repository.
        body: dict[str, object] = {"state": notification.state, "auto_inactive": False}
        if notification.status:
            body["description"] = notification.status.description
        if page := self._page(deployment.id):
            body["log_url"] = page
        if url := self._settings.github.environment_urls.get(deployment.environment):
            body["environment_url"] = url.replace("{app}", RepoPath.parse(deployment.app).path)
        return body

    def _commit_status(self, deployment: Deployment, status: StatusNotice) -> dict[str, object]:
        name = context(deployment.app, deployment.environment)
        body: dict[str, object] = {"state": status.state, "description": status.description, "context": name}
        if page := self._page(deployment.id):
            body["target_url"] = page
        return body

    def _page(self, deployment: int) -> str | None:
        url = self._settings.receiver.public_url
        return f"{url}/deployments/{deployment}" if url else None

    def _post(self, deployment: Deployment, path: str, body: dict[str, object]) -> Any:
        self._writes.append(time.monotonic())
        return self._client.post(RepoPath.parse(deployment.app).repository, path, body)

    # --- lost deliveries

    def _looks_for_lost(self) -> bool:
        return bool(self._settings.receiver.public_url and self._settings.github.redeliver_seconds)

    def _look_seconds(self) -> float:
        """Return the seconds between two looks: more for many repositories, as each look takes two calls."""
        needed = 2 * len(self._repositories) * 3600 / limits.GITHUB_LOOKS_AN_HOUR
        return max(self._settings.github.redeliver_seconds, needed)

    def _ask_again(self, repository: str) -> None:
        if self._stop.is_set():
            return
        url = self._settings.receiver.public_url + _HOOK_PATH
        for hook in self._client.get(repository, "hooks", per_page="100"):
            if hook["config"].get("url", "").rstrip("/") != url:
                continue
            path = f"hooks/{hook['id']}/deliveries"
            attempts = [Attempt.parse(answer) for answer in self._client.get(repository, path, per_page="100")]
            now = datetime.now(UTC)
            settled = self._store.deliveries.settled({attempt.guid for attempt in lost(attempts, now)})
            for attempt in to_ask_for(attempts, settled, now):
                if self._must_wait():
                    return
                self._writes.append(time.monotonic())
                self._client.post(repository, f"{path}/{attempt.id}/attempts", {})
                self._log.info("asked again", repository=repository, delivery=attempt.guid, kind=attempt.event)

    # --- what fails

    def _must_wait(self) -> bool:
        """Tell whether GitHub takes no calls now, or had nearly as many this hour as it takes."""
        now = time.monotonic()
        is_full = len(self._writes) == self._writes.maxlen and now - self._writes[0] < 3600
        return now < self._not_before or is_full or self._backoff.waits("GitHub")

    def _attempt(self, key: str, repository: str, work: Callable[[], None]) -> bool:
        """Return whether it went well. If not it is due again later: it, all of its repository, or everything."""
        if self._backoff.waits(repository) or self._must_wait():
            return False
        try:
            work()
        except GitHubError as error:
            if key.startswith("comments") and isinstance(error, GitHubRefusedError) and error.scope != "all":
                self._log_once(key, f"{error}; pull requests are not told of previews (docs/previews.md)")
                return False
            is_for_hooks = key.startswith("deliveries") and error.scope != "all"
            failed = "GitHub" if error.scope == "all" else repository if error.scope == "repository" else key
            if is_for_hooks:
                self._log_once(
                    key, f"{error}; lost deliveries are not asked for, the look by the clock finds what they told"
                )
                return False
            self._not_before = time.monotonic() + error.wait
            self._backoff.failed(failed)
            self._log_once(failed, str(error))
            return False
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, other deployments have nothing to do with it)
            self._backoff.failed(key)
            if self._logged.get(key) != repr(error):
                self._logged[key] = repr(error)
                self._log.exception("not told", what=key)
            return False
        for name in (key, repository, "GitHub"):
            self._backoff.succeeded(name)
            if self._logged.pop(name, ""):
                self._log.info("told again", what=name)
        return True

    def _log_once(self, key: str, message: str) -> None:
        if self._logged.get(key) != message:
            self._logged[key] = message
            self._log.warning("not told", what=key, error=message)
