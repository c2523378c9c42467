"""In which order repositories are refreshed."""

from pathlib import Path
from threading import Event, Semaphore
from typing import cast

from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.limits import REFRESHES
from bot.reconcile.refreshes import Refreshes


class WaitingMirror(Mirror):
    """A copy whose refresh notes that it has begun, and waits."""

    def __init__(self, name: str, begun: Semaphore, names: list[str], may_end: Event) -> None:
        super().__init__(cast("Git", None), f"https://host/{name}.git", Path(name))  # it runs no git
        self._name, self._begun, self._names, self._may_end = name, begun, names, may_end

    def refresh(self, *, keeps_head: bool = False) -> None:  # noqa: ARG002
        self._names.append(self._name)
        self._begun.release()
        assert self._may_end.wait(30)


def test_repositories_of_one_ops_repo_come_one_after_the_other_and_those_of_others_in_between() -> None:
    begun, ended, names, may_end = Semaphore(0), Semaphore(0), list[str](), Event()
    repositories = [f"{ops}{number}" for number in range(REFRESHES + 2) for ops in ("a", "b")]
    mirrors = {name: WaitingMirror(name, begun, names, may_end) for name in repositories}
    refreshes = Refreshes[str](mirrors, {name: name[0] for name in repositories}, Event(), ended.release)
    for name in repositories:
        refreshes.ask(name, name)

    def begin(number: int) -> set[str]:
        assert all(begun.acquire(timeout=30) for _ in range(number))
        found = {*names}
        names.clear()
        return found

    def end(number: int) -> list[str]:
        assert all(ended.acquire(timeout=30) for _ in range(number))
        return sorted(asker for asker, error in refreshes.collect() if error is None)

    assert refreshes.collect() == []
    first = begin(REFRESHES)
    assert first == {f"a{number}" for number in range(REFRESHES)}
    refreshes.ask("a0", "again")  # it may have seen less than what there is: it is asked once more
    assert refreshes.waiting == len(repositories) - REFRESHES + 1
    may_end.set()
    assert end(REFRESHES) == sorted(first)
    second = begin(REFRESHES)
    assert second == {f"b{number}" for number in range(REFRESHES)}
    assert end(REFRESHES) == sorted(second)
    third = begin(5)
    assert third == {f"a{REFRESHES}", f"a{REFRESHES + 1}", "a0", f"b{REFRESHES}", f"b{REFRESHES + 1}"}
    assert end(5) == sorted(third - {"a0"} | {"again"})
    assert refreshes.waiting == 0
