"""buildah: real builds, pushed to a real registry."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.buildah.storages import AppStorages
from bot.images.builders.interface import BuildError, BuildPutOffError, Order
from bot.process import StoppedError, ask
from tests.support.builders import BUSYBOX, App, built, free_port
from tests.support.environment import processes_with
from tests.support.registry import LocalRegistry
from tests.support.waiting import BUSY, eventually


def test_the_digest_is_the_one_that_the_registry_holds(buildah: Buildah, registry: LocalRegistry, app: App) -> None:
    order = app(BUSYBOX + "RUN echo built by $0\n", destination=f"{registry.host}/ann/app:1", labels={"who": "ann"})
    digest, lines = built(buildah, order)
    assert digest == registry.digest(order.destination)
    assert "built by /bin/sh" in lines
    assert json.loads(registry.config(order.destination))["config"]["Labels"]["who"] == "ann"


def test_layers_that_did_not_change_are_not_built_again(buildah: Buildah, registry: LocalRegistry, app: App) -> None:
    order = app(BUSYBOX + "RUN echo once\n", destination=f"{registry.host}/ann/again:1")
    first, _ = built(buildah, order)
    again, lines = built(buildah, order)
    assert again == first
    assert "once" not in lines


def test_a_target_arguments_and_a_dockerfile_beside_the_context(
    buildah: Buildah, registry: LocalRegistry, app: App, tmp_path: Path
) -> None:
    text = BUSYBOX + "FROM base AS small\nARG WHO\nRUN echo hello $WHO\nFROM base\nRUN exit 9\n"
    given = app(text, destination=f"{registry.host}/ann/target:1", target="small", arguments={"WHO": "ann"})
    beside = shutil.move(given.dockerfile, tmp_path / "Dockerfile.made")
    order = Order(**{**vars(given), "dockerfile": Path(beside)})
    _, lines = built(buildah, order)
    assert "hello ann" in lines


@pytest.mark.parametrize("with_secrets", [True, False])
def test_nothing_is_left_of_a_stage_without_instructions(
    buildah: Buildah, state: Path, registry: LocalRegistry, app: App, tmp_path: Path, with_secrets: bool
) -> None:
    base = app(BUSYBOX, destination=f"{registry.host}/ann/stage:1")
    built(buildah, base)
    (tmp_path / "token").write_text("t0k3n")
    text = f"FROM {base.destination} AS base\n\nFROM base AS small\nRUN echo made\n"
    secrets = {"pip": tmp_path / "token"} if with_secrets else {}
    order = app(text, destination=f"{registry.host}/ann/stages:1", secrets=secrets)
    _, lines = built(buildah, order)
    assert "made" in lines
    assert nothing_left(state, order)


def test_a_secret_is_seen_by_its_run_and_is_not_in_the_image(
    buildah: Buildah, registry: LocalRegistry, app: App, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("t0k3n")
    text = BUSYBOX + (
        "RUN --mount=type=secret,id=pip busybox wc -c < /run/secrets/pip && busybox cp /run/secrets/pip /tmp/x; "
        "busybox rm -f /tmp/x\nRUN busybox find / -name pip -xdev\n"
    )
    order = app(text, destination=f"{registry.host}/ann/secret:1", secrets={"pip": tmp_path / "token"})
    _, lines = built(buildah, order)
    assert "5" in lines
    assert "/run/secrets/pip" not in lines[lines.index("5") + 1 :]
    assert "t0k3n" not in registry.config(order.destination)


@pytest.mark.parametrize("isolation", ["oci", "chroot"])
def test_a_run_sees_nothing_of_the_bot(
    state: Path, registry: LocalRegistry, app: App, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is in our environment, and in the environment and the arguments of a process of ours."""
    secret = "s3cr3t-of-the-bot"
    for name in ("DPPCTL_GITHUB_TOKEN", "GIT_CONFIG_VALUE_0", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://ann:{secret}@127.0.0.1:9")
    search = "busybox env; busybox cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | busybox tr '\\0' '\\n'"
    order = app(f"{BUSYBOX}RUN {search}; echo searched {isolation}\n", destination=f"{registry.host}/ann/{isolation}:1")
    holder = subprocess.Popen(["sh", "-c", f"sleep 60; : {secret}"], start_new_session=True)
    try:
        _, lines = built(Buildah(state, isolations=(isolation,)), order)
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
    assert f"searched {isolation}" in lines
    assert any(line.startswith("PATH=") for line in lines)
    seen = "\n".join(lines)
    assert secret not in seen
    assert "DPPCTL" not in seen
    assert "sleep 60" not in seen


def test_dockerignore_leaves_files_out(buildah: Buildah, registry: LocalRegistry, app: App) -> None:
    files = {".dockerignore": "private\n", "private": "x", "public": "x"}
    order = app(BUSYBOX + "COPY . /app\nRUN busybox ls /app\n", files, destination=f"{registry.host}/ann/ignore:1")
    _, lines = built(buildah, order)
    assert "public" in lines
    assert "private" not in lines


def test_a_link_out_of_the_folder_is_refused_before_the_build(buildah: Buildah, app: App) -> None:
    order = app(BUSYBOX)
    (order.context / "data").mkdir()
    (order.context / "data" / "passwords").symlink_to("../../../etc/passwd")
    with pytest.raises(BuildError, match=r"^data/passwords is a symbolic link out of the app's folder \(\.\./\.\./"):
        built(buildah, order)


def test_a_link_within_the_folder_is_fine(buildah: Buildah, registry: LocalRegistry, app: App) -> None:
    order = app(BUSYBOX + "COPY . /app\n", {"a/b": "x"}, destination=f"{registry.host}/ann/link:1")
    (order.context / "c").symlink_to("a/b")
    (order.context / "broken").symlink_to("nowhere")
    built(buildah, order)


def test_lines_come_while_the_build_runs(buildah: Buildah, app: App) -> None:
    order = app(BUSYBOX + "RUN echo first; echo wrong >&2; busybox sleep 60\n")
    lines: list[str] = []
    stop = threading.Event()

    def log(line: str) -> None:
        lines.append(line)
        if line == "wrong":
            stop.set()

    with pytest.raises(StoppedError):
        buildah.build(order, log, stop)
    assert "first" in lines


@pytest.mark.parametrize("isolation", ["oci", "chroot"])
def test_stop_ends_all_that_the_build_started_within_seconds(state: Path, app: App, isolation: str) -> None:
    builder = Buildah(state, isolations=(isolation,))
    mark = uuid4().hex
    sleep = f"MARK={mark} busybox setsid busybox sleep 600"
    order = app(f"{BUSYBOX}RUN {sleep} & echo started; MARK={mark} busybox sleep 600\n")
    stop, lines, raised = threading.Event(), list[str](), list[BaseException]()

    def build() -> None:
        try:
            builder.build(order, lines.append, stop)
        except StoppedError as error:
            raised.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    eventually(lambda: "started" in lines and processes_with(mark), "the RUN has begun")
    containers = [folder.name for folder in storage(state).glob("builds/*/runc/*")]
    assert bool(containers) == (isolation == "oci")
    assert not [group for name in containers for group in control_groups(name)]  # it cannot make any
    begun = time.monotonic()
    stop.set()
    thread.join(30)
    assert raised
    assert time.monotonic() - begun < 10 * BUSY
    assert nothing_left(state, order)
    assert not processes_with(mark)


def test_a_build_that_takes_too_long_is_ended(state: Path, app: App) -> None:
    builder = Buildah(state, seconds=4)
    order = app(BUSYBOX + "RUN busybox sleep 600\n")
    assert builder.probe().works
    with pytest.raises(BuildError, match=r"longer than 4 seconds .* DPPCTL_BUILD_SECONDS"):
        built(builder, order)
    assert nothing_left(state, order)


def test_two_builds_at_once_and_one_of_them_stopped(buildah: Buildah, registry: LocalRegistry, app: App) -> None:
    order = app(BUSYBOX + "RUN busybox sleep 3; echo done\n", destination=f"{registry.host}/ann/two:1")
    other = Order(**{**vars(order), "dockerfile": order.context / "Other"})
    other.dockerfile.write_text((BUSYBOX + "RUN echo other; busybox sleep 60\n").replace("    ", ""))
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(built(buildah, order)[0]))
    thread.start()
    stop = threading.Event()
    with pytest.raises(StoppedError):
        buildah.build(other, lambda line: stop.set() if line == "other" else None, stop)
    thread.join(60)
    assert results == [registry.digest(order.destination)]


def test_old_images_go_when_the_cache_is_too_large(tmp_path: Path, registry: LocalRegistry, app: App) -> None:
    state = tmp_path / "own"
    old = app("FROM scratch\nCOPY busybox /old\n", destination=f"{registry.host}/ann/old:1")
    built(Buildah(state), old)
    new = app("FROM scratch\nCOPY busybox /new\n", destination=f"{registry.host}/ann/new:1")
    built(Buildah(state), new)
    Buildah(state, cache_bytes=4 * 10**6).prune()
    assert images(state) == [new.destination]
    Buildah(state, cache_bytes=0).prune()
    assert buildah_in(state, "images", "--all", "--quiet") == ""


def test_nothing_is_pruned_while_a_build_runs(tmp_path: Path, registry: LocalRegistry, app: App) -> None:
    builder = Buildah(tmp_path / "own", cache_bytes=0)
    order = app(BUSYBOX + "RUN echo now; busybox sleep 1\n", destination=f"{registry.host}/ann/prune:1")
    builder.build(order, lambda line: builder.prune() if line == "now" else None, threading.Event())
    assert images(tmp_path / "own") == [order.destination]


def test_a_machine_without_buildah_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = Buildah(tmp_path / "own").probe()
    assert not probe.works
    assert probe.what == "buildah: No such file or directory"
    assert probe.get.startswith("install buildah, runc and uidmap")


def test_a_registry_that_is_away_puts_the_build_off(buildah: Buildah, app: App) -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(BuildPutOffError, match=f"^cannot push {host}/app:1: the registry {host} does not answer"):
        built(buildah, app("FROM scratch\nCOPY busybox /x\n", destination=f"{host}/app:1"))
    with pytest.raises(BuildPutOffError, match=f"^cannot get the base image {host}/base:1: the registry {host} does"):
        built(buildah, app(f"FROM {host}/base:1\n"))


def nothing_left(state: Path, order: Order) -> bool:
    """Whether no process, mount or container of a build is left."""
    assert processes_with(str(order.context)) == []
    assert str(state) not in Path("/proc/mounts").read_text()
    assert list(storage(state).glob("builds/*")) == []
    assert not buildah_in(state, "containers", "--quiet")
    return True


def control_groups(name: str) -> list[Path]:
    """The kernel's, which runc makes for each container."""
    return [Path(folder) / name for folder, folders, _ in os.walk("/sys/fs/cgroup") if name in folders]


def storage(state: Path) -> Path:
    """The folder of the app that all builds here are of."""
    return AppStorages(state, "overlay", ()).of("ann/app").folder


def images(state: Path) -> list[str]:
    lines = buildah_in(state, "images", "--format={{.Name}}:{{.Tag}}").splitlines()
    return [line for line in lines if "none" not in line]


def buildah_in(state: Path, *arguments: str) -> str:
    own = ["buildah", "--root", storage(state) / "root", "--runroot", storage(state) / "run"]
    own += ["--storage-driver", "overlay"]
    done = ask(["unshare", "--mount", *own, *arguments], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, 60)
    assert done.code == 0, done.text
    return done.text
