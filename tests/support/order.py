"""The order of the tests: what takes long is begun first, so that at the end no process waits for the last of another.

xdist gives each process a part of the list (`--dist worksteal`: equal parts, in their order), and who is ready takes
from the end of another's. So each part begins with something long: some with what runs on a cluster, which mostly
waits, each other one with its share of the modules that are marked `slow`.
"""

from collections.abc import Sequence

import pytest


def in_order(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return the items for so many processes; those of a module stay together, in their order."""
    first: list[list[pytest.Item]] = [[] for _ in range(processes)]
    rest: list[pytest.Item] = []
    with_pods = max(1, processes // 2)
    on_cluster: dict[str, int] = {}
    slow: dict[str, int] = {}
    for item in items:
        module = item.nodeid.partition("::")[0]
        if item.get_closest_marker("cluster"):
            first[on_cluster.setdefault(module, len(on_cluster)) % with_pods].append(item)
        elif item.get_closest_marker("slow"):
            first[-1 - slow.setdefault(module, len(slow)) % max(1, processes - with_pods)].append(item)
        else:
            rest.append(item)
    ordered: list[pytest.Item] = []
    for number, long in enumerate(first):
        room = (number + 1) * len(items) // processes - len(ordered) - len(long)
        ordered += [*long, *rest[: max(0, room)]]
        del rest[: max(0, room)]
    ordered += rest
    assert len(ordered) == len(items)
    return ordered
