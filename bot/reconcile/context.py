"""What the bot's looks and its deployments by hand work with."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.git.mirror import Mirror
from bot.git.signatures import Signatures
from bot.model.registration import Target
from bot.reconcile.images import ImageResolver
from bot.reconcile.ops_repo import OpsRepo
from bot.store.store import Store


@dataclass(frozen=True)
class BotContext:
    """Made once, for the bot's one thread. `apps` and `ops`: the copies of repositories, by OWNER/REPO."""

    targets: frozenset[Target]
    apps: Mapping[str, Mirror]
    ops: Mapping[str, OpsRepo]
    store: Store
    images: ImageResolver
    signatures: Signatures
    on_change: Callable[[], None]  # called after each push to an ops repo; it must not block
    stop: threading.Event  # after it nothing more is begun or recorded
