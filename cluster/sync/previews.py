"""The previews that an ops repo names. Which branches have an environment is not in `apps.yaml`: it is read there."""

from collections.abc import Iterable

from bot.model.previews import PREFIX
from bot.model.registration import Target
from cluster.sync.repositories import Reader


def expanded(ops: Reader, head: str, targets: Iterable[Target]) -> list[Target]:
    """Return the targets of an ops repo, at a commit: in the place of `preview-*` the previews that it names."""
    found: list[Target] = []
    for target in targets:
        if not target.is_pattern:
            found.append(target)
            continue
        names = ops.folders(head, target.ops.file("environments"))
        previews = [target.with_environment(name) for name in names if name.startswith(PREFIX)]
        entries = ops.entries(head, [preview.values_file for preview in previews])
        found += [preview for preview in previews if entries[preview.values_file]]
    return found
