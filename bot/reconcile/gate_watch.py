"""See when deployments that wait for other environments are to be looked at again, as something has ended there."""

from collections.abc import Callable

from bot.model.names import RepoPath
from bot.store.store import Store


class GateWatch:
    """Compares what the store says of what waits with what it said before. One thread uses it."""

    def __init__(self, store: Store) -> None:
        """Ask `store`."""
        self._store = store
        self._seen: dict[str, str] = {}  # by app

    def repositories(self, is_free: Callable[[str], bool]) -> set[str]:
        """Return the repositories (OWNER/REPO) of apps to look at, each once for what has happened.

        is_free: whether a look at it can begin now; another is returned later.
        """
        news = self._store.gates.news()
        found = {app: RepoPath.parse(app).repository for app, state in news.items() if self._seen.get(app) != state}
        due = {app: repository for app, repository in found.items() if is_free(repository)}
        self._seen = {app: news[app] if app in due else self._seen.get(app, "") for app in news}
        return set(due.values())
