"""What builds of several apps, and of several processes, share in one folder, and what they do not."""

import os
import threading
from pathlib import Path

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.buildah.storages import AppStorages
from bot.images.builders.interface import BuildError, Order
from tests.support.builders import BUSYBOX, App, built
from tests.support.registry import LocalRegistry

# What two apps' Dockerfiles begin with; only an app that has the secret should ever see what it says.
KEEPS_SECRET = "RUN --mount=type=secret,id=pip busybox cp /run/secrets/pip /kept; busybox true\n"
SHOWS = "RUN busybox cat /kept; echo; echo shown\n"
SECRET = "t0k3n-of-ann"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    return file


def of(order: Order, **changes: object) -> Order:
    return Order(**{**vars(order), **changes})


def test_a_secret_is_in_no_layer_that_another_build_gets(
    buildah: Buildah, registry: LocalRegistry, app: App, secret: Path
) -> None:
    first = app(BUSYBOX + KEEPS_SECRET, destination=f"{registry.host}/ann/keeps:1", secrets={"pip": secret})
    built(buildah, first)
    first.dockerfile.write_text(first.dockerfile.read_text() + SHOWS)
    for name in ("ann/app", "bob/app"):  # whose secret was withdrawn; and somebody else
        _, lines = built(buildah, of(first, app=name, secrets={}))
        assert "shown" in lines
        assert SECRET not in lines
    secret.write_text("n3w")
    _, lines = built(buildah, first)
    assert not [line for line in lines if SECRET in line]
    assert [line for line in lines if line in ("n3w", "***")]


def test_one_app_gets_no_layer_of_another_and_a_base_image_is_there_once(
    tmp_path: Path, registry: LocalRegistry, app: App
) -> None:
    builder = Buildah(tmp_path / "own")
    base = app(BUSYBOX, destination=f"{registry.host}/ann/base:1")
    built(Buildah(tmp_path / "elsewhere"), base)
    order = app(f"FROM {base.destination}\nRUN echo once\n", destination=f"{registry.host}/ann/once:1")
    for name in ("bob/app", "ann/app"):
        _, lines = built(builder, of(order, app=name))
        assert "once" in lines
    kilobytes = base.context.joinpath("busybox").stat().st_size // 1024
    storages = AppStorages(tmp_path / "own", "overlay", ())
    assert storages.base.size() // 1024 > kilobytes
    assert all(storages.of(name).size() // 1024 < kilobytes for name in ("ann/app", "bob/app"))
    assert storages.of("Ann/app").folder != storages.of("ann/app").folder
    builder.prune({"ann/app"})
    folders = {path for path in (tmp_path / "own" / "apps").iterdir() if path.is_dir()}
    assert folders == {storages.of(name).folder for name in ("", "ann/app")}
    assert "once" not in built(builder, order)[1]
    Buildah(tmp_path / "own", cache_bytes=0).prune()
    assert [name for name in os.listdir(tmp_path / "own" / "apps") if not name.endswith(".lock")] == []


def test_what_one_process_prunes_leaves_the_builds_of_another_alone(
    tmp_path: Path, registry: LocalRegistry, app: App
) -> None:
    """`dppctl build` and the bot have one folder."""
    bot, by_hand = Buildah(tmp_path / "own"), Buildah(tmp_path / "own", cache_bytes=0)
    waits = "until [ -e /context/pruned ]; do busybox sleep 0.1; done"
    text = f"{BUSYBOX}RUN --mount=type=bind,target=/context echo now; {waits}\n"
    order = app(text, destination=f"{registry.host}/ann/lock:1")

    def prune() -> None:
        by_hand.prune(["nobody/else"])
        (order.context / "pruned").touch()

    threads: list[threading.Thread] = []

    def log(line: str) -> None:
        if line == "now":
            threads.append(threading.Thread(target=prune))
            threads[0].start()

    assert bot.build(order, log, threading.Event()).startswith("sha256:")
    threads[0].join(60)


def test_a_secret_that_a_run_prints_is_neither_in_the_log_nor_in_what_is_said_of_it(
    buildah: Buildah, app: App, secret: Path
) -> None:
    secret.write_text(f"{SECRET}\nits second line\n")
    prints = "busybox cat /run/secrets/pip; busybox base64 /run/secrets/pip; busybox false"
    order = app(f"{BUSYBOX}RUN --mount=type=secret,id=pip {prints}\n", secrets={"pip": secret})
    lines: list[str] = []
    with pytest.raises(BuildError, match=r"exit code 1; its last lines:\n\*\*\*\n\*\*\*\n\*\*\*$"):
        buildah.build(order, lines.append, threading.Event())
    assert not [line for line in lines if SECRET in line or "second" in line]
