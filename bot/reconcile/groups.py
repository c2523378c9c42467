"""Which ops repos belong together, as an app is deployed by several: one bot works at all of such a group."""

from collections.abc import Iterable, Mapping

from bot.model.registration import Target


def groups_of(targets: Iterable[Target]) -> Mapping[str, frozenset[str]]:
    """Return for each repository (OWNER/REPO) of an app or an ops repo the ops repos of its group."""
    members: dict[str, set[str]] = {}  # by repository, all that it belongs with; the same object for all of them
    ops = set()
    for target in targets:
        ops.add(target.ops.repository)
        pair = (target.app.repository, target.ops.repository)
        first, second = (members.setdefault(name, {name}) for name in pair)
        if first is not second:
            larger, smaller = (first, second) if len(first) >= len(second) else (second, first)
            larger |= smaller
            members |= dict.fromkeys(smaller, larger)
    found: dict[int, frozenset[str]] = {}
    for group in members.values():
        if id(group) not in found:
            found[id(group)] = frozenset(group & ops)
    return {name: found[id(group)] for name, group in members.items()}
