"""Local sync with apps that have an image: it runs in podman, and all else is as without one."""

from datetime import timedelta
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.model.values import Pipeline
from tests.support.forge import APP, APPENDING
from tests.support.images import WORKDIR, Images
from tests.support.registry import LocalRegistry
from tests.support.stories.machine import FAILING, Machine, waiting_for
from tests.support.waiting import eventually

# It tells what only the image has, and who runs it; and leaves a site.
IN_THE_IMAGE = {
    "only-here": "hello",  # without a line end
    "rows.py": """
        import os, pathlib
        from dataflows import Flow, update_resource

        def flow(*_):
            print(f"the image says {pathlib.Path('/only-here').read_text()} to {os.getuid()}", flush=True)
            assert "hush" not in str(os.environ)
            pathlib.Path("data").mkdir(exist_ok=True)
            pathlib.Path("data/index.html").write_text("the site")
            return Flow([{"number": 1}], update_resource(-1, name="numbers", path="n.csv", **{"dpp:streaming": True}))
    """,
}
NOT_IN_THE_IMAGE = {"README.md": "what runs is in the image"}


@pytest.fixture
def app(images: Images, tmp_path: Path) -> str:
    """An image whose pipeline writes three rows."""
    return images.app(tmp_path / "app", APPENDING)


def test_an_image_runs_as_its_user_and_leaves_rows_a_site_and_its_name_also_when_a_later_image_fails(
    machine: Machine, images: Images, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SERVER", "hush")
    entrypoint = 'ENTRYPOINT ["/bin/false"]\nVOLUME /pipelines/data\nCOPY only-here /only-here'
    image = images.move(
        images.app(machine.folder / "app", {**APPENDING, **IN_THE_IMAGE}, extra=entrypoint), registry.host
    )
    machine.say(NOT_IN_THE_IMAGE, Pipeline(id="./one", schedule="0 * * * *"), image=image)
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded"], machine.events[-1].message
    assert machine.numbers() == [1]
    log = "".join(event.log for event in machine.events)
    assert "the image says hello to 1234" in log, log
    receipt = machine.events[-1].receipt
    assert receipt
    assert receipt.image == image
    current = machine.environment().current()
    assert current
    assert (current.storage / "index.html").read_text() == "the site"
    assert "the site" in (current.source / "rows.py").read_text()
    registry.stop()  # it was pulled once
    machine.now += timedelta(hours=1)
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded", "scheduled"]
    assert machine.numbers() == [1, 1]
    assert images.containers() == []
    machine.say(NOT_IN_THE_IMAGE, image=images.app(machine.folder / "failing", {**APPENDING, **FAILING}))
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded", "scheduled", "started", "failed"]
    assert "the reason" in machine.events[-1].message
    assert machine.numbers() == [1, 1]
    assert images.containers() == []


def test_what_is_newer_stops_a_container_and_so_does_the_end_of_sync(
    machine: Machine, images: Images, app: str, tmp_path: Path
) -> None:
    # The gate is never opened: it is a file of this machine, which the image does not see.
    waiting = images.app(tmp_path / "waiting", {**APP, **waiting_for(tmp_path / "gate")})
    machine.say(NOT_IN_THE_IMAGE, image=waiting)
    with machine.running() as sync:
        # dpp's warm process, that of the pipeline, and those of its steps
        eventually(lambda: sum("dpp" in line for line in images.processes()) > 2, "the pipeline runs")
        machine.say(NOT_IN_THE_IMAGE, image=app)
        sync.wake()
        eventually(lambda: machine.phases() == ["started", "superseded", "started", "succeeded"], "the newer one ran")
        assert machine.numbers() == [0, 1, 2]
        machine.say(NOT_IN_THE_IMAGE, image=waiting)
        sync.wake()
        eventually(images.containers, "a container is there, and whether its worker listens yet is open")
    assert images.containers() == []


def test_a_container_that_a_killed_machine_left_is_gone_after_the_next_start(
    machine: Machine, images: Images, app: str
) -> None:
    owner = f"dppctl.owner={machine.environment().folder}"
    images.run("podman", "create", "--label", owner, images.python, "true")
    machine.say(NOT_IN_THE_IMAGE, image=app)
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded"]
    assert images.containers() == []


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        (
            f"FROM localhost/test-python\nWORKDIR {WORKDIR}\nCOPY . .",
            "no dpp on its PATH; install datapackage-pipelines",
        ),
        (f"FROM localhost/test-python\nENV PATH=/none\nWORKDIR {WORKDIR}\nCOPY . .", "has no python3 on its PATH"),
        ("FROM localhost/test-dpp\nWORKDIR /", "where the pipelines are: WORKDIR /app"),
    ],
)
def test_an_image_that_cannot_run_pipelines_is_told_in_one_line(
    machine: Machine, images: Images, tmp_path: Path, dockerfile: str, said: str
) -> None:
    image = images.app(tmp_path / "app", {**APP, "Dockerfile": dockerfile})
    machine.say(NOT_IN_THE_IMAGE, image=image)
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    first, *rest = machine.events[-1].message.splitlines()
    assert first.startswith(f"the image {image}")
    assert said in first
    assert rest == ["staging has nothing yet that runs"]
    assert images.containers() == []


def test_without_podman_it_is_said_what_to_do(
    machine: Machine, path_without_podman: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_without_podman)
    machine.say(NOT_IN_THE_IMAGE, image=f"example.org/app@sha256:{'a' * 64}")
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    said = (
        f"this deployment has an image (example.org/app@sha256:{'a' * 64}); running images on this machine needs podman"
    )
    assert machine.events[-1].message.startswith(said)


def test_an_image_that_is_named_by_a_tag_is_not_run(machine: Machine) -> None:
    machine.say(NOT_IN_THE_IMAGE, image="example.org/app:latest")
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert "is not named by its digest" in machine.events[-1].message


def test_a_registry_that_is_away_fails_nothing_and_one_that_has_no_such_image_does(
    machine: Machine, registry: LocalRegistry, warned: list[EventDict]
) -> None:
    machine.start(retry_seconds=0.1)
    machine.say(NOT_IN_THE_IMAGE, image=f"{registry.host}/nobody@sha256:{'a' * 64}")
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert "cannot be pulled" in machine.events[-1].message
    registry.stop()
    machine.say(NOT_IN_THE_IMAGE, image=f"{registry.host}/nobody@sha256:{'b' * 64}")
    machine.sync.sync()
    assert machine.phases() == ["started", "failed", "queued"]
    assert "not deployed yet" in [event["event"] for event in warned]


def test_a_link_in_the_place_of_the_database_leads_nobody_out_of_the_container(
    machine: Machine, images: Images, tmp_path: Path
) -> None:
    plant = """
        import os

        def flow(*_):
            folder = "/dppctl/work"
            os.symlink("/etc/passwd", folder + "/data.sqlite")
            return [{"number": 1}]
    """
    spec = "one:\n  pipeline:\n  - flow: rows\n"
    machine.say(NOT_IN_THE_IMAGE, image=images.app(tmp_path / "app", {"pipeline-spec.yaml": spec, "rows.py": plant}))
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert "something else in the place of their file data.sqlite" in machine.events[-1].message
