"""`dppctl run` tells where what was written is to be seen, and publishes elsewhere what is not published there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from tests.support.needs import needs
from tests.support.stories.publishing_world import URL, PublishingWorld, publishing_world
from tests.support.workloads import write_files

Person = Callable[..., str]
pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]
SPEC = "".join(f"{name}:\n  pipeline: []\n" for name in ("rows", "publish", "forge"))


@pytest.fixture(scope="module")
@needs("an API server")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishingWorld]:
    with publishing_world(tmp_path_factory.mktemp("publishing")) as made:
        yield made


@pytest.fixture(autouse=True)
def _clusters(world: PublishingWorld, settings_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cluster with a storage, and one whose runs are published by it, as minikube-public's are."""
    assert settings_folder
    monkeypatch.setenv("DPPCTL_TOKEN", world.proxy.person(f"ann-{tmp_path.name}").token)
    add_cluster(NamedCluster("office", world.proxy.url))
    add_cluster(NamedCluster("minikube-public", world.proxy.url, publish_to="office"))
    use_cluster("office")
    monkeypatch.chdir(write_files(tmp_path / "workload", {"pipeline-spec.yaml": SPEC}))


def published(said: str) -> tuple[str, list[str]]:
    """Return the worker, and the lines between the results and the end."""
    lines = said.splitlines()
    worker = next(line for line in lines if line.startswith("Assigned Worker Pod: ")).split()[-1]
    begin = next(number for number, line in enumerate(lines) if line.startswith("Syncing "))
    return worker, lines[begin : lines.index("Unassigned Worker Pod")]


def test_the_addresses_of_what_was_written_are_printed(person: Person, world: PublishingWorld) -> None:
    worker, lines = published(person("run", "publish"))
    assert lines == [
        "Syncing Data Packages to Public Storage",
        f"data/committees > {URL}/{worker}/committees/",
        "Syncing Static Website to Public Storage",
        f"data/index.html > {URL}/{worker}/",
    ]
    assert (world.storage / worker / "index.html").is_file()


def test_json_has_an_event_for_each(person: Person) -> None:
    events = [json.loads(line) for line in person("run", "publish", "--output", "json").splitlines()]
    found = [(event["kind"], event["source"]) for event in events if event.get("event") == "published"]
    assert found == [("site", "data/index.html"), ("data package", "data/committees")]


def test_nothing_is_published_without_being_wanted_or_against_a_refusal(person: Person) -> None:
    assert "Syncing" not in person("run", "publish", "--no-publish")
    said = person("run", "publish", "forge")
    assert said.endswith("exit code 1\n")
    assert "dppctl: nothing is published: the worker says that it wrote '../index.html'" in said


def test_a_local_cluster_publishes_by_a_public_one(person: Person, world: PublishingWorld) -> None:
    said = person("run", "publish", "--cluster", "minikube-public")
    assert said.splitlines()[:3] == [
        "Using local minikube cluster with public publishing",
        "do not use for private data!",
        "Run dppctl init --help for cluster initialization and configuration options",
    ]
    worker, lines = published(said)
    assert [line.split(" > ")[0] for line in lines] == [
        "Syncing Data Packages to Public Storage",
        "data/committees",
        "Syncing Static Website to Public Storage",
        "data/index.html",
    ]
    prefix = lines[-1].removeprefix(f"data/index.html > {URL}/")
    assert prefix.startswith(f"{worker}-")
    assert (world.storage / prefix / "committees/ועדות.csv").read_text() == "id\n1\n"
    assert not (world.storage / worker).exists()


def test_what_broke_off_is_published_by_a_command(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("cli.remote.relay.find_cluster", lambda _: NamedCluster("office", "http://127.0.0.1:9"))
        patched.setattr("cli.remote.client.RETRY_SECONDS", 0.1)
        said = person("run", "publish", "--cluster", "minikube-public")
    assert said.endswith("exit code 1\n")
    failed = next(line for line in said.splitlines() if line.startswith("dppctl: nothing is published: "))
    name = failed.split("`dppctl publish ")[1].split("`")[0]
    again = person("publish", name, "--cluster", "minikube-public").splitlines()
    assert again[0] == "Syncing Data Packages to Public Storage"
    assert again[-1].startswith("data/index.html > ")
    assert "are published there, when they end" in person("publish", name)
    assert "no run nothing of yours" in person("publish", "nothing", "--cluster", "minikube-public")
