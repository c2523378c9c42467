"""Of several bots that share a store one leads, on SQLite and on PostgreSQL."""

import subprocess
import sys

from bot.store.leader import Leader
from bot.store.store import Store
from tests.support.environment import REPOSITORY
from tests.support.waiting import eventually


def test_there_is_one_leader_and_another_takes_over(url: str, store: Store) -> None:
    other_store = Store(url)
    first, second = Leader(store.database), Leader(other_store.database)
    assert [first.acquire(), first.acquire(), second.acquire()] == [True, True, False]
    first.release()
    assert [second.acquire(), first.acquire()] == [True, False]
    second.release()
    other_store.close()


def test_a_leader_that_is_killed_is_replaced(url: str, store: Store) -> None:
    program = (
        "import sys; from bot.store.store import Store; from bot.store.leader import Leader\n"
        "leader = Leader(Store(sys.argv[1]).database); print(leader.acquire(), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, url], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "True\n"
        leader = Leader(store.database)
        assert not leader.acquire()
        process.kill()
        process.wait()
        eventually(leader.acquire, "the other takes over", 10)
        leader.release()
