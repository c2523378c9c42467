"""Commits that environments hold, and that no branch or tag has any more, as after an amended one was pushed.

As long as the server has such a commit it is as good as any; it is asked for by its id. When it is gone for good, what
runs there cannot be deployed again, and what the branch or tag says now is to be.
"""

from collections.abc import Mapping, Set

from bot.git.commits import GoneCommitError
from bot.git.mirror import Mirror
from bot.git.reader import GitReader
from bot.model.registration import Target
from bot.reconcile.observe import read_values


def find_lost(
    mirror: Mirror, repository: GitReader, texts: Mapping[Target, str | None], failed: Set[tuple[str, str]]
) -> frozenset[str]:
    """Return which of the commits that values files (`texts`) name are gone; those that are not are in the copy.

    `failed`: environments and commits whose deployment failed; as sync has a copy of its own, the server itself is
    asked for these. Raises GitError.
    """
    lost = set()
    for target, text in texts.items():
        values = read_values(target, text)
        if values is None or values.source.repository != target.app.repository:
            continue  # it is another app's until now
        if mirror.names(values.source.commit):
            continue
        commit, is_run_from_source = values.source.commit, values.image is None
        if not repository.has(commit):
            try:
                mirror.fetch_commit(commit)
            except GoneCommitError:
                lost.add(commit)
        elif is_run_from_source and (target.environment, commit) in failed and mirror.has_lost(commit):
            lost.add(commit)
    return frozenset(lost)
