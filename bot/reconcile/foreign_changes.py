"""Find what others changed in the values files, which only the bot is to write: a `git revert` by a person, say.

Only where the bot would write anew: what says the same as what the bot would write is in nobody's way.
"""

from collections.abc import Mapping
from dataclasses import replace

from bot.images.decide import ImagePolicy
from bot.model.app_state import AppState, ForeignChange
from bot.model.registration import Target
from bot.reconcile.decide import due
from bot.reconcile.observe import read_values
from bot.reconcile.ops_repo import OpsRepo
from bot.store.deployments import digest_of
from bot.store.store import Store


def observe_foreign_changes(
    state: AppState,
    policy: ImagePolicy,
    texts: Mapping[Target, str | None],
    ops: Mapping[str, OpsRepo],
    store: Store,
) -> AppState:
    """Return the state with the foreign changes of the environments that are due. Raises GitError when git fails.

    `texts`: the values files as they were read for the state; `ops`: the ops repos, by OWNER/REPO.
    """
    targets = dict(state.targets)
    for target in due(state, policy):
        ours = store.deployments.last_written(str(target.app), target.environment)
        change = _find(target, texts.get(target), ours, ops[target.ops.repository])
        targets[target] = replace(targets[target], changed=change)
    return replace(state, targets=targets)


def _find(target: Target, text: str | None, ours: tuple[str, str | None] | None, ops: OpsRepo) -> ForeignChange | None:
    """Return the commit by which others changed what the environment's values say, or None.

    `ours`: the newest ops commit that is recorded for the environment, and its file's digest. Without one (a store that
    was lost) what its file's last commit says of itself counts.
    """
    if ours:
        ops_commit, digest = ours
        if text is not None and digest == digest_of(text):
            return None
        before = ops.texts([target], ops_commit)[target]
        if text is not None and (text == before or _say_the_same(target, text, before)):
            return None
    elif text is None:
        return None  # it has had nothing yet
    return ops.foreign_change(target)


def _say_the_same(target: Target, text: str, before: str | None) -> bool:
    values = read_values(target, text)
    return values is not None and values == read_values(target, before)
