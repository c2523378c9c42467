"""What a build by dppctl costs, beside `buildah build` and `buildah push` that a person types."""

import os
import re
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

from benchmarks.bench import Bench, numbered
from benchmarks.report import Result, Row, spread, table
from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.interface import Order
from tests.support.registry import running_registry

BAR = 1.1
MEGABYTES = 20
# A system in one program, so that no base image is needed. The random bytes stand for what pip installs.
DOCKERFILE = """\
    FROM scratch
    COPY busybox /bin/busybox
    COPY busybox /bin/sh
    COPY number /number
    RUN busybox mkdir /data && busybox dd if=/dev/urandom of=/data/random bs=1M count={megabytes} 2>/dev/null
    RUN echo done
"""
_WHAT = "cold build and push: ours / buildah by hand"


def builds(bench: Bench) -> Result:
    """Measure pairs of cold builds, in turns. Every order has a file of its own: no layer of it is known anywhere."""
    missing = [name for name in ("buildah", "runc", "docker-registry", "busybox") if not shutil.which(name)]
    if missing:
        row = Row(_WHAT, f"at most {BAR} x", f"this machine lacks {', '.join(missing)}", None)
        return Result("Building an image", [row])
    by_hand: list[float] = []
    ours: list[float] = []
    pairs, megabytes = (2, 2) if bench.quick else (15, MEGABYTES)
    with running_registry(bench.new_folder() / "registry") as registry, _by_hand(bench) as hand:
        builder = Buildah(bench.new_folder(), cache_bytes=0)
        hand.options = ["--isolation", *_isolation(builder)]
        for number in numbered(pairs, "pair"):
            turns = [(by_hand, hand.build), (ours, lambda order: builder.build(order, _unheard, threading.Event()))]
            for times, build in turns if number % 2 else reversed(turns):
                order = _order(bench.new_folder(), f"{registry.host}/ann/app:{number}", megabytes)
                started = time.perf_counter()
                digest = build(order)
                times.append(time.perf_counter() - started)
                if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
                    raise RuntimeError(f"no digest: {digest!r}")
            hand.empty()
            builder.prune()
    ratio = statistics.median(ours) / statistics.median(by_hand)
    row = Row(_WHAT, f"at most {BAR} x", f"{ratio:.2f} x", ratio <= BAR)
    details = (
        f"busybox, {megabytes} MB of random bytes that a RUN makes, and one more RUN; built, and pushed to a registry "
        "on loopback. By hand: `buildah build` and `buildah push` with the same options, isolation, storage driver and "
        "configuration, without the namespaces that make a build of ours end whole. No layer is in either cache, and "
        "both storages are emptied after each pair.\n\n"
        + table(("by hand", "ours", "ratio"), [(spread(by_hand), spread(ours), f"{ratio:.2f}")])
    )
    return Result("Building an image", [row], details)


class _ByHand:
    """A person with a storage of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options: list[str] = []
        (folder / "containers.conf").write_text(
            '[engine]\nruntime = "runc"\n[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
        )

    def build(self, order: Order) -> str:
        image, digest = self.folder / "image", self.folder / "digest"
        named = [f"--tag={order.destination}", f"--iidfile={image}", f"--file={order.dockerfile}"]
        self._buildah("build", "--layers", "--format=docker", *self.options, *named, str(order.context))
        pushed = [f"--digestfile={digest}", "--tls-verify=false", image.read_text(), f"docker://{order.destination}"]
        self._buildah("push", *pushed)
        return digest.read_text()

    def empty(self) -> None:
        self._buildah("rmi", "--all", "--force")

    def _buildah(self, *arguments: str) -> None:
        storage = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        subprocess.run(
            ["buildah", *storage, "--storage-driver", "overlay", *arguments],
            env={**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )


@contextmanager
def _by_hand(bench: Bench) -> Iterator[_ByHand]:
    """Give plain buildah, and remove the mount that it leaves."""
    folder = bench.new_folder()
    try:
        yield _ByHand(folder)
    finally:
        if os.path.ismount(folder / "root" / "overlay"):
            subprocess.run(["umount", folder / "root" / "overlay"], check=True)


def _isolation(builder: Buildah) -> list[str]:
    """Return the isolation that the builder found to work here, as options."""
    found = re.search(r"isolation (\w+), network (\w+)", builder.probe().what)
    if not found:
        raise RuntimeError(builder.probe().what)
    return [found[1], "--network", found[2]]


def _order(context: Path, destination: str, megabytes: int) -> Order:
    (context / "Dockerfile").write_text(dedent(DOCKERFILE).format(megabytes=megabytes))
    (context / "number").write_text(uuid4().hex)
    shutil.copy(shutil.which("busybox") or "", context / "busybox")
    return Order(context=context, dockerfile=context / "Dockerfile", destination=destination)


def _unheard(_: str) -> None:
    """Drop a line of a log that nobody reads."""
