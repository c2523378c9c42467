"""Real images for tests, in a containers storage of their own below the cache.

The base images (tests/support/base_images.py) are made once and stay there; the storage's name says what they were
made of.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support import base_images
from tests.support.workloads import write_files

WORKDIR = "/pipelines"
USER = "1234:1234"  # nobody on this machine


@dataclass(frozen=True)
class Images:
    """The images of one containers storage; `environment` leads podman and buildah to it."""

    storage: Path
    environment: dict[str, str]
    python: str  # busybox and Python
    dpp: str  # and dpp
    folder: Path = Path("/")  # of the test: what it starts is known by a path below it
    made: list[str] = field(default_factory=list)  # by the test

    def build(self, name: str, context: Path, *options: str) -> str:
        """Build a folder with a Dockerfile; NAME@DIGEST, of an image that is in the storage only."""
        # No cache: layers that nothing refers to any more would pile up in a storage that stays.
        self.run("buildah", "build", "--no-cache", "--tag", name, *options, str(context))
        self.made.append(name)
        return f"{name}@{self.digest(name)}"

    def move(self, image: str, host: str) -> str:
        """Push an image to a registry and remove it here; HOST/NAME@DIGEST, which whoever wants it has to pull."""
        name = f"{host}/{image.partition('/')[2].partition('@')[0]}"
        digest = self.folder / "digest"
        options = ["--quiet", "--tls-verify=false", "--disable-compression", "--digestfile", str(digest)]
        self.run("buildah", "push", *options, image.partition("@")[0], name)
        self.run("podman", "rmi", "--force", image.partition("@")[0])
        self.made.append(f"{name}@{digest.read_text()}")
        return self.made[-1]

    def has(self, name: str) -> bool:
        """Whether the storage has the image."""
        command = ["podman", "image", "exists", name]
        return subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True).returncode == 0

    def digest(self, name: str) -> str:
        """Of an image that is in the storage."""
        return self.run("podman", "image", "inspect", "--format", "{{.Digest}}", name)

    def app(self, folder: Path, files: dict[str, str], *, extra: str = "") -> str:
        """An app's image: these files in the WORKDIR, owned by a user without a name; NAME@DIGEST."""
        dockerfile = f"FROM {self.dpp}\nWORKDIR {WORKDIR}\nCOPY --chown={USER} . .\nUSER {USER}\n{extra}\n"
        context = write_files(folder, {"Dockerfile": dockerfile, ".dockerignore": "Dockerfile\n", **files})
        return self.build(f"127.0.0.1:1/app-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}", context)

    def containers(self, *options: str) -> list[str]:
        """All that are there for what this test started; other tests may run beside it."""
        lines = self.run(
            "podman", "ps", "--format", '{{.ID}} {{index .Labels "dppctl.owner"}}', *(options or ["--all"])
        )
        found = [line.partition(" ") for line in lines.splitlines()]
        return [identity for identity, _, owner in found if Path(owner).is_relative_to(self.folder)]

    def processes(self) -> list[str]:
        """The command lines in all of them."""
        tops = [self.run("podman", "top", one, "args") for one in self.containers("--filter", "status=running")]
        return [line for top in tops for line in top.splitlines()[1:]]

    def clear(self) -> None:
        """Remove what the test made: the storage stays for the next ones."""
        for image in self.made:
            command = ["podman", "image", "rm", "--force", image]
            subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, check=False)

    def run(self, *command: str) -> str:
        """What the command prints."""
        done = subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()


def ensure_images(runtime: DppEnvironment) -> Images:
    """The images, made if they are not there."""
    made_of = [
        sys.version,
        sys.base_prefix,
        platform.machine(),
        str(runtime.folder),
        Path(base_images.__file__).read_text(),
    ]
    key = hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:8]
    storage = cache_dir() / "tests" / f"images-{key}"
    storage.mkdir(parents=True, exist_ok=True)
    # podman takes no longer run root than 50 characters.
    run = Path(tempfile.gettempdir(), f"dppctl-{storage.name}")
    images = Images(storage, configure_storage(storage, run), "localhost/test-python", "localhost/test-dpp")
    with one_at_a_time(storage / "lock"):
        for name, fill in ((images.python, base_images.fill_python), (images.dpp, base_images.fill_dpp)):
            if not images.has(name):
                with tempfile.TemporaryDirectory(prefix="dppctl-test-image-") as scratch:
                    dockerfile = fill(Path(scratch, "root"), runtime)
                    Path(scratch, "Dockerfile").write_text(dockerfile)
                    images.build(name, Path(scratch))
    images.made.clear()  # these are no test's: they stay
    return images


def configure_storage(storage: Path, run: Path) -> dict[str, str]:
    """Variables that lead podman and buildah there, and the files that they name.

    They need no systemd and touch nobody's images; crun refuses hybrid cgroups, so runc where it is.
    """
    engine = '[engine]\nruntime = "runc"\n' if shutil.which("runc", path=f"{os.environ['PATH']}:/usr/sbin") else ""
    limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
    roots = f'[storage]\ndriver = "overlay"\ngraphroot = "{storage}/graph"\nrunroot = "{run}"\n'
    files = {"containers.conf": engine + limits, "storage.conf": roots}
    for name, text in files.items():
        (storage / name).write_text(text)
    return {"CONTAINERS_CONF": f"{storage}/containers.conf", "CONTAINERS_STORAGE_CONF": f"{storage}/storage.conf"}


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Other test processes wait at this file until the block ends."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


HELLO = {
    "pipeline-spec.yaml": """
        hello:
          pipeline:
          - flow: rows
          - run: dump.to_sql
            parameters:
              engine: env://DPP_DB_ENGINE
              tables: {hello: {resource-name: hello}}
          - run: dump.to_path
            parameters: {out-path: data}
    """,
    "rows.py": """
        import os, sys
        from dataflows import Flow, update_resource

        def flow(*_):
            rows = [{"name": os.environ["NAME"], "path": os.environ["PATH"], "python": sys.base_prefix}]
            return Flow(rows, update_resource(-1, name="hello", path="hello.csv", **{"dpp:streaming": True}))
    """,
}


def index_answers(images: Images) -> bool:
    ask = ("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "/tmp/x", "iniconfig==2.0.0")
    try:
        images.run("podman", "run", "--rm", "--network", "host", images.python, *ask)
    except AssertionError:
        return False
    return True
