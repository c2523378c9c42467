"""Keep one comment about a branch's preview on the branch's pull request.

It is found again by a mark that nobody sees, so a bot that ended between making it and writing that down makes no
second one. Where the token may not comment nothing else is held up, and that is said once.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot import limits
from bot.github.client import Client
from bot.github.errors import GitHubRefusedError
from bot.github.preview_text import comment, gone_comment, marker, newest_told
from bot.logs import get_logger
from bot.model.names import RepoPath, short
from bot.store.preview_tables import Preview
from bot.store.store import Store
from bot.store.tables import Deployment

_log = get_logger("dppctl.github")


@dataclass(frozen=True)
class PendingComment:
    """A comment whose text GitHub does not show yet."""

    preview: Preview
    text: str

    @property
    def digest(self) -> str:
        """Return the text's digest."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class PreviewComments:
    """The comments of all previews. For one thread."""

    def __init__(self, store: Store, client: Client, page: Callable[[int], str | None]) -> None:
        """`page` returns the address of a deployment by its number."""
        self._store, self._client, self._page = store, client, page
        self._next: dict[str, float] = {}  # by repository, when its pull requests are looked at again
        self._change, self._next_look = -1, 0.0
        self._refused: dict[str, float] = {}  # by repository, until when it is left alone

    def work(self, change: int) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield repositories (OWNER/REPO), each with what is to be done there now; that raises GitHubError.

        `change`: the store's change number; as long as it is the same, there is something to do by the clock only.
        """
        if change == self._change and time.monotonic() < self._next_look:
            return
        self._change, self._next_look = change, time.monotonic() + limits.PULL_REQUESTS_SECONDS
        now = time.monotonic()
        for repository, previews in _by_repository(self._store.previews.to_tell_gone()).items():
            if self._refused.get(repository, 0.0) <= now:
                yield repository, partial(self._tell_gone, repository, previews)
        for repository, previews in _by_repository(self._store.previews.there()).items():
            if self._refused.get(repository, 0.0) > now:
                continue
            self._next_look = min(self._next_look, max(now, self._next.get(repository, 0.0)))
            is_look = self._next.get(repository, 0.0) <= now
            changed = [found for found in self._pending(previews) if found.preview.pull_request]
            if is_look or changed:
                yield repository, partial(self._tell, repository, previews, is_look=is_look)

    def _tell(self, repository: str, previews: Sequence[Preview], *, is_look: bool) -> None:
        with self._noting_refusals(repository):
            numbers = {found.ref: found.pull_request for found in previews if found.pull_request}
            if is_look:
                self._next[repository] = time.monotonic() + limits.PULL_REQUESTS_SECONDS
                numbers = self._pull_requests(repository)
            for pending in self._pending(previews):
                if number := numbers.get(pending.preview.ref):
                    self._show(repository, number, pending)
            for preview in previews:  # the branch has another one now, on which nothing stands yet
                number = numbers.get(preview.ref)
                if number and preview.pull_request and number != preview.pull_request and preview.comment_digest:
                    text = self._text(preview)
                    if text:
                        self._show(repository, number, PendingComment(preview, text))

    def _tell_gone(self, repository: str, previews: Sequence[Preview]) -> None:
        """Have each comment say that its preview is gone, where the pull request is open, and leave it then."""
        with self._noting_refusals(repository):
            for preview in previews:
                owner, branch = repository.split("/")[0], short(preview.ref)
                is_open = preview.pull_request in self._pull_requests(repository, head=f"{owner}:{branch}").values()
                if is_open and (found := self._known(repository, preview.comment_id)):
                    last = self._last_told(preview)
                    text = gone_comment(preview, last, self._page(last.id) if last else None)
                    if found["body"] != text:
                        self._client.patch(repository, f"issues/comments/{found['id']}", {"body": text})
                        _log.info(
                            "pull request told", app=preview.app, branch=branch, pull_request=preview.pull_request
                        )
                self._store.previews.forget_comment(preview.app, preview.environment)

    @contextmanager
    def _noting_refusals(self, repository: str) -> Iterator[None]:
        """Leave a repository alone for a while when GitHub does not let us."""
        try:
            yield
        except GitHubRefusedError:
            self._refused[repository] = time.monotonic() + limits.PULL_REQUESTS_REFUSED_SECONDS
            raise

    def _pending(self, previews: Sequence[Preview]) -> list[PendingComment]:
        found = [PendingComment(preview, text) for preview in previews if (text := self._text(preview))]
        return [pending for pending in found if pending.digest != pending.preview.comment_digest]

    def _text(self, preview: Preview) -> str | None:
        """Return what the comment is to say; None: nothing has ended there yet."""
        deployment = self._last_told(preview)
        return comment(preview, deployment, self._page(deployment.id)) if deployment else None

    def _last_told(self, preview: Preview) -> Deployment | None:
        """Return the deployment that the comment is about, with what changed; None: nothing has ended there yet."""
        newest = self._store.deployments.newest(limits.COMMENT_DEPLOYMENTS, preview.app, preview.environment)
        mine = [found for found in newest if found.created >= preview.since]
        told = newest_told(mine)
        return self._store.deployments.get(told.id) if told else None

    def _pull_requests(self, repository: str, **only: str) -> dict[str, int]:
        """Return the numbers of the open pull requests of a repository's own branches, by the branch's full name.

        only: `head` (OWNER:BRANCH), https://docs.github.com/rest/pulls/pulls#list-pull-requests.
        """
        query = {"state": "open", "sort": "updated", "direction": "desc", "per_page": "100", **only}
        found: list[dict[str, Any]] = self._client.get(repository, "pulls", **query)
        own = [pull for pull in found if (pull["head"]["repo"] or {}).get("id") == pull["base"]["repo"]["id"]]
        return {f"refs/heads/{pull['head']['ref']}": int(pull["number"]) for pull in reversed(own)}

    def _show(self, repository: str, number: int, pending: PendingComment) -> None:
        """Make the comment, or change its text, and write down which it is."""
        preview = pending.preview
        known = preview.comment_id if preview.pull_request == number else None
        found = self._known(repository, known) or self._find(repository, number, preview)
        if found is None:
            body = {"body": pending.text}
            found = self._client.post(repository, f"issues/{number}/comments", body)
        elif found["body"] != pending.text:
            self._client.patch(repository, f"issues/comments/{found['id']}", {"body": pending.text})
        key = (preview.app, preview.environment)
        self._store.previews.record_comment(*key, number, int(found["id"]), pending.digest)
        _log.info("pull request told", app=preview.app, branch=short(preview.ref), pull_request=number)

    def _known(self, repository: str, comment_id: int | None) -> dict[str, Any] | None:
        """Return the comment that was written down; None without one, or when somebody deleted it."""
        if comment_id is None:
            return None
        try:
            found: dict[str, Any] = self._client.get(repository, f"issues/comments/{comment_id}")
        except GitHubRefusedError as error:
            if error.status != 404:
                raise
            return None
        return found

    def _find(self, repository: str, number: int, preview: Preview) -> dict[str, Any] | None:
        for page in range(1, limits.COMMENT_PAGES + 1):
            query = {"per_page": "100", "page": str(page)}
            comments: list[dict[str, Any]] = self._client.get(repository, f"issues/{number}/comments", **query)
            for found in comments:
                if (found["body"] or "").startswith(marker(preview)):
                    return found
            if len(comments) < 100:
                return None
        return None


def _by_repository(previews: Iterable[Preview]) -> dict[str, list[Preview]]:
    found: dict[str, list[Preview]] = {}
    for preview in previews:
        found.setdefault(RepoPath.parse(preview.app).repository, []).append(preview)
    return found
