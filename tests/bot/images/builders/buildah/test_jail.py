"""What a build can reach: attacks by a Dockerfile, a base image and a layer, tried with real buildah."""

import io
import tarfile
import threading
from pathlib import Path

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.interface import BuildError, Order
from tests.support.builders import BUSYBOX, App, built
from tests.support.needs import needs
from tests.support.registry import LocalRegistry

SECRET = "hush-of-this-machine"
# A stage with a link to the root, and a RUN that has it mounted: CVE-2024-1753.
BIND = "FROM base AS evil\nRUN busybox ln -s / /root-of-all\nFROM base\n"
BIND_RUN = "RUN --mount=type=bind,from=evil,source=/root-of-all,target=/seen,rw {tries}\n"
# The folder of a cache that is somewhere else: CVE-2024-9675.
CACHE_RUN = "RUN --mount=type=cache,id={up},target=/seen {tries}\n"


@pytest.fixture(scope="module", params=["oci", "chroot"])
@needs("buildah", "runc")
def builder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Buildah:
    """One for each way in which buildah keeps a RUN apart, with layers of its own."""
    return Buildah(tmp_path_factory.mktemp(request.param), isolations=(request.param,))


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of this machine with a secret, as root would see it."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / ".env").write_text(SECRET)
    (folder / ".env").chmod(0o600)
    return folder


def tries(host: Path) -> str:
    """What a RUN does with /seen, when that is this machine's root."""
    return (
        f"busybox cat /seen{host}/.env; busybox touch /seen{host}/owned; busybox mkdir -p /seen{host}/d; "
        'name=/seen/proc/sys/kernel/core_pattern; echo "$(busybox cat $name)" > $name && echo wrote-to-the-kernel; '
        "busybox touch /seen/usr/bin/env && echo wrote-to-usr; busybox ls /seen; echo tried"
    )


def lines_of(builder: Buildah, order: Order) -> str:
    """The log of a build, also of one that is refused."""
    lines: list[str] = []
    try:
        builder.build(order, lines.append, threading.Event())
    except BuildError as error:
        lines.append(str(error))
    assert any("STEP" in line for line in lines), lines  # buildah itself ran
    return "\n".join(lines)


def assert_unseen(host: Path, seen: str) -> None:
    assert SECRET not in seen
    assert [file.name for file in host.iterdir()] == [".env"]
    output = [line for line in seen.splitlines() if "STEP" not in line]
    assert not {"wrote-to-the-kernel", "wrote-to-usr"} & set(output)


def test_a_link_to_the_root_leads_to_no_file_of_this_machine(
    builder: Buildah, registry: LocalRegistry, app: App, host: Path
) -> None:
    order = app(BUSYBOX + BIND + BIND_RUN.format(tries=tries(host)), destination=f"{registry.host}/ann/bind:1")
    assert_unseen(host, lines_of(builder, order))


def test_a_cache_elsewhere_is_no_folder_of_this_machine(
    builder: Buildah, registry: LocalRegistry, app: App, host: Path
) -> None:
    runs = (CACHE_RUN.format(up="/".join([".."] * depth), tries=tries(host)) for depth in (1, 3, 8))
    order = app(BUSYBOX + "".join(runs), destination=f"{registry.host}/ann/cache:1")
    assert_unseen(host, lines_of(builder, order))


def test_what_a_base_image_asks_for_is_as_far_from_this_machine(
    builder: Buildah, registry: LocalRegistry, app: App, host: Path
) -> None:
    up = "/".join([".."] * 8)
    text = BUSYBOX + "ONBUILD " + CACHE_RUN.format(up=up, tries=tries(host))
    base = app(text, destination=f"{registry.host}/ann/onbuild:1")
    built(builder, base)
    order = app(f"FROM {base.destination}\nRUN echo\n", destination=f"{registry.host}/ann/child:1")
    assert_unseen(host, lines_of(builder, order))


def test_links_in_a_stage_copy_no_file_of_this_machine(
    builder: Buildah, registry: LocalRegistry, app: App, host: Path
) -> None:
    text = BUSYBOX + (
        f"FROM base AS evil\nRUN busybox ln -s {host} /away; busybox ln -s / /root-of-all\nFROM base\n"
        "COPY --from=evil /away/.env /copied2\n"
        f"COPY --from=evil /root-of-all{host}/.env /copied3\nRUN busybox cat /copied*/* /copied*\n"
    )
    order = app(text, destination=f"{registry.host}/ann/links:1")
    assert_unseen(host, lines_of(builder, order))


def test_a_device_in_a_layer_is_none(builder: Buildah, registry: LocalRegistry, app: App) -> None:
    """Of the random numbers' device; another one would be the disk of this machine."""
    order = app(
        BUSYBOX + "ADD devices.tar /\nRUN busybox ls -l /a-device; busybox head -c 1 /a-device > /x; echo code=$?\n",
        destination=f"{registry.host}/ann/device:1",
    )
    with tarfile.open(order.context / "devices.tar", "w") as archive:
        entry = tarfile.TarInfo("a-device")
        entry.type, entry.mode, entry.devmajor, entry.devminor = tarfile.CHRTYPE, 0o666, 1, 8
        archive.addfile(entry, io.BytesIO())
    seen = lines_of(builder, order)
    assert "code=1" in seen
