"""What a run publishes becomes current with its database: both, or none of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.next_database.databases import DatabaseError
from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.staged import StagedTargets
from cluster.storage.layout import Pointer
from tests.support.next_database import AFTER_THE_POINTER, BEFORE_THE_POINTER, EnvironmentDatabase
from tests.support.publisher.buckets import answers
from tests.support.publisher.process import package
from tests.support.publisher.staged import stage
from tests.support.publisher.world import package_files, publisher_world
from tests.support.waiting import eventually


class Environment:
    """A database and a storage, and what people read there."""

    def __init__(self, database: EnvironmentDatabase, folder: Path) -> None:
        self.database, self.folder, self.storage = database, folder, folder / "storage"
        self.storage.mkdir()
        self.run("one", 1)

    def begin(self, run: str, number: int) -> Path:
        """Have a run's pipelines write this number to both."""
        self.database.begin(run)
        self.database.work(number)
        return stage(self.folder / run, package_files("numbers", str(number)), package("numbers/"))

    def run(self, run: str, number: int) -> None:
        """A whole run."""
        self.database.finish(run, str(self.begin(run, number)), str(self.storage))

    def read(self) -> tuple[list[int], list[int]]:
        """What people read in the database, and in the files."""
        release = Pointer.read((self.storage / "current.json").read_bytes()).paths["numbers/"]
        rows = (self.storage / "releases" / release / "numbers/rows.csv").read_text().split()
        return self.database.numbers(), [int(row) for row in rows[1:]]


@pytest.fixture
def environment(database: EnvironmentDatabase, tmp_path: Path) -> Environment:
    return Environment(database, tmp_path)


def test_what_cannot_be_published_leaves_files_and_database_as_they_were(
    environment: Environment, tmp_path: Path
) -> None:
    staged = environment.begin("two", 2)
    (staged / "files/numbers/datapackage.json").unlink()
    with pytest.raises(DatabaseError, match=r"cannot be published, so files and database stay.*does not send it"):
        environment.database.finish("two", str(staged), str(environment.storage))
    assert environment.read() == ([1], [1])
    # Not even the last step, when the files are there and the database is renamed.
    (part := environment.storage / ".current.json.part").mkdir()
    staged = environment.begin("three", 3)  # the turn was given back
    with pytest.raises(DatabaseError, match=r"cannot be published, so files and database stay.*Is a directory"):
        environment.database.finish("three", str(staged), str(environment.storage))
    assert environment.read() == ([1], [1])
    part.rmdir()
    # What was written already, to another storage, is taken back.
    other = tmp_path / "other"
    (other / ".current.json.part").mkdir(parents=True)
    staged = environment.begin("both", 3)
    with pytest.raises(DatabaseError, match=r"cannot be published, so files and database stay.*Is a directory"):
        environment.database.finish_to("both", StagedTargets(staged, [str(environment.storage), str(other)]))
    assert environment.read() == ([1], [1])
    environment.run("four", 4)
    assert environment.read() == ([4], [4])


def test_files_are_taken_back_when_the_database_cannot_commit(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, write = environment.begin("two", 2), FolderEngine.write

    async def write_and_cut(engine: FolderEngine, path: str, content: bytes) -> None:
        await write(engine, path, content)
        in_switch = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        environment.database.sql(in_switch, "postgres")

    monkeypatch.setattr(FolderEngine, "write", write_and_cut)
    with pytest.raises(DatabaseError, match="PostgreSQL: "):
        environment.database.finish("two", str(staged), str(environment.storage))
    assert environment.read() == ([1], [1])


@pytest.mark.slow
def test_it_is_so_with_a_bucket_too(environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.publisher.engines.rclone.RCLONE_TRIES", 1)
    with publisher_world("s3", tmp_path / "world") as world:
        staged, rclone = environment.begin("two", 2), f"http://127.0.0.1:{world.rclone_port}"
        password = tmp_path / "world" / "password"
        places = StagedTargets(staged, ["storage:public"], world.url, rclone, password, tmp_path)
        environment.database.finish_to("two", places)
        assert (environment.database.numbers(), world.current("", "numbers/rows.csv")) == ([2], b"name\n2\n")
        # It ended its rclone, as the pod is over then. So the next one has none.
        eventually(lambda: not answers(world.rclone_port), "its rclone ends")
        staged = environment.begin("three", 3)
        with pytest.raises(DatabaseError, match=r"cannot be published, so files and database stay.*does not answer"):
            environment.database.finish_to("three", replace(places, publication=staged))
        assert (environment.database.numbers(), world.current("", "numbers/rows.csv")) == ([2], b"name\n2\n")


def test_a_run_that_is_killed_between_files_and_database_is_followed_by_one_that_ends_well(
    environment: Environment,
) -> None:
    staged = environment.begin("two", 2)
    assert environment.database.do_killed(BEFORE_THE_POINTER, "finish", "two", str(staged), str(environment.storage))
    assert environment.read() == ([1], [1])
    environment.database.give_back("two")
    staged = environment.begin("three", 3)
    assert environment.database.do_killed(AFTER_THE_POINTER, "finish", "three", str(staged), str(environment.storage))
    assert environment.read() == ([1], [3])  # the one moment that is left, before the database's commit
    environment.database.give_back("three")
    environment.run("four", 4)
    assert environment.read() == ([4], [4])
