"""What the bot's looks and its deployments by hand work with."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.git.signatures import Signatures
from bot.model.names import RepoPath
from bot.model.previews import PreviewLimits
from bot.model.registration import Target
from bot.reconcile.commit_links import CommitLinks
from bot.reconcile.images import ImageResolver
from bot.reconcile.ops_repo import OpsRepo
from bot.settings import Settings
from bot.store.store import Store


@dataclass(frozen=True)
class BotContext:
    """Made once, for all threads. `apps` and `ops`: the copies of repositories, by OWNER/REPO."""

    targets: frozenset[Target]
    apps: Mapping[str, Mirror]
    ops: Mapping[str, OpsRepo]
    store: Store
    images: ImageResolver
    signatures: Signatures
    on_change: Callable[[], None]  # called after each push to an ops repo; it must not block
    may_write: Callable[[str], None]  # raises TransientError when another bot may be writing that ops repo
    wake: Callable[[str], None]  # asks for a look at an app's repository (OWNER/REPO) soon
    stop: threading.Event  # after it nothing more is begun or recorded
    previews: PreviewLimits


def open_repositories(
    settings: Settings, targets: frozenset[Target], git: Git
) -> tuple[Mapping[str, Mirror], Mapping[str, OpsRepo]]:
    """Open the copies of the registered apps' repositories and ops repos, by OWNER/REPO."""

    def folder(kind: str, repository: str) -> Path:
        return settings.state_dir / kind / RepoPath(repository).slug

    apps = {
        name: Mirror(git, settings.github.repository_url(name), folder("apps", name))
        for name in {target.app.repository for target in targets}
    }
    ops = {
        name: OpsRepo(
            git,
            settings.github.repository_url(name),
            folder("ops", name),
            CommitLinks(settings).lines,
            settings.github.signing_key_file,
        )
        for name in {target.ops.repository for target in targets}
    }
    return apps, ops
