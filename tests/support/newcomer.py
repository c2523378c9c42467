"""A newcomer who types the first page: a clean Debian of their own, an empty home, and README.md.

What they type is read from the page, nothing else. The Debian is made once by mmdebstrap, with nothing but sudo, and
kept; each newcomer has a container on it whose changes go with it. The page's address of dppctl leads to a clone of
what is committed here.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.local.folders import cache_dir
from tests.support.docs.pages import commands, text_of
from tests.support.environment import REPOSITORY
from tests.support.images import configure_storage, one_at_a_time

README = "README.md"
RELEASE, MIRROR = "trixie", "http://deb.debian.org/debian"
SECONDS = 600  # for one command; a machine that does other work takes longer
_USER, _HOME, _FOLDER = "ann", "/home/ann", "/home/ann/prices"
_ENDED = "dppctl up has ended"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# How this machine reaches a package index.
_NETWORK = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class FirstPage:
    """What the page has a newcomer do: lines to type, in this order, and files to write."""

    prepares: tuple[str, ...]  # the machine
    types: tuple[str, ...]
    looks: str  # what shows that the rows are there
    files: dict[str, str]
    address: str  # of dppctl's repository


def read_first_page() -> FirstPage:
    """Read it. Raises ValueError where the page has another form than this expects."""
    section = text_of(README).partition("## Five commands")[2].partition("\n## ")[0]
    typed = [found.text for found in commands(README, section) if not found.inline]
    first = next(number for number, line in enumerate(typed) if "+https://" in line)
    address = re.search(r"https://\S+", typed[first])
    files = dict(re.findall(r"`([\w.-]+\.\w+)`:\n\n```\w+\n(.*?)```", section, re.DOTALL))
    if not address or typed[-1] != "dppctl status":
        raise ValueError(f"{README} installs from no address, or does not end with dppctl status: {typed}")
    return FirstPage(tuple(typed[:first]), tuple(typed[first:-1]), typed[-1], files, address[0])


@dataclass(frozen=True)
class Newcomer:
    """A person in a container; `page`: what they read."""

    page: FirstPage
    container: str
    environment: dict[str, str]  # of podman

    def types(self, command: str, *, waits: bool = True) -> str:
        """Type it in a new terminal, in the folder of their data; return what it says. Raises AssertionError."""
        start = ["podman", "exec", "--interactive" if waits else "--detach", "--user", _USER, "--workdir", _FOLDER]
        done = subprocess.run(
            [*start, *self._network(), self.container, "bash", "-lc", command],
            env=self.environment,
            input="y\n",  # to apt, which asks
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def walks(self) -> Iterator[tuple[str, float]]:
        """Type all that the page says, up to the rows; yield each line with the seconds that it took."""
        for line in (*self.page.prepares, *self.page.types):
            started = time.monotonic()
            if line == "dppctl init --local":
                self._writes()
            if line == "dppctl up":
                self.types(f"{line} > ~/up.log 2>&1; echo {_ENDED} >> ~/up.log", waits=False)
                self._waits_for("cat ~/up.log", "is up: http")
            else:
                self.types(line)
            yield line, time.monotonic() - started
        started = time.monotonic()
        self._waits_for(self.page.looks, "2 rows")
        yield self.page.looks, time.monotonic() - started

    def _writes(self) -> None:
        for name, text in self.page.files.items():
            self.types(f"cat > {name} <<'END'\n{text}END")

    def _waits_for(self, command: str, words: str) -> None:
        end = time.monotonic() + SECONDS
        while words not in (said := self.types(command)):
            assert time.monotonic() < end, f"{command} never said {words!r}: {said}"
            assert _ENDED not in said, said
            time.sleep(1)

    def _network(self) -> list[str]:
        named = [name for name in os.environ if name.upper() in _NETWORK]
        return [part for name in named for part in ("--env", name)]


@contextmanager
def new_newcomer(folder: Path, *, is_frugal: bool = True) -> Iterator[Newcomer]:
    """Give one, whose container ends with the block; `folder` is for the clone that they install from.

    is_frugal: apt installs there what a package needs, and not what it recommends, which takes it half a minute.
    """
    page = read_first_page()
    root, environment = clean_debian()
    source = folder / "dppctl.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(REPOSITORY), str(source)], check=True)
    subprocess.run(["chmod", "--recursive", "a+rX", str(folder)], check=True)
    name = f"newcomer-{os.getpid()}-{time.monotonic_ns()}"
    mounts = ["--volume", f"{source}:/srv/dppctl.git:ro", "--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
    run = ["podman", "run", "--detach", "--rm", "--init", "--network", "host", "--name", name, *mounts]
    subprocess.run(
        [*run, "--rootfs", f"{root}:O", "sleep", "infinity"], env=environment, check=True, stdout=subprocess.PIPE
    )
    try:
        # git has to know who commits, as a person's does, and what the page calls dppctl.
        settings = f"""\
[user]
    name = Ann
    email = ann@example.org
[safe]
    directory = /srv/dppctl.git
[url "file:///srv/dppctl.git"]
    insteadOf = {page.address}
"""
        recommends = str(not is_frugal).lower()
        script = f"""
cat > /etc/gitconfig && install --directory --owner {_USER} {_FOLDER}
echo 'APT::Install-Recommends "{recommends}";' > /etc/apt/apt.conf.d/recommends
"""
        podman = ["podman", "exec", "--interactive", name, "sh", "-c", script]
        subprocess.run(podman, input=settings, text=True, env=environment, check=True)
        yield Newcomer(page, name, environment)
    finally:
        subprocess.run(["podman", "kill", name], env=environment, check=True, stdout=subprocess.PIPE)


def clean_debian() -> tuple[Path, dict[str, str]]:
    """Return the root of a Debian with a user who may sudo, and podman's environment. Raises CalledProcessError."""
    user = f'useradd --root "$1" --create-home --shell /bin/bash {_USER}'
    may = f"echo '{_USER} ALL=(ALL) NOPASSWD: ALL' > \"$1/etc/sudoers.d/{_USER}\""
    make = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=sudo,ca-certificates", "--format=directory"]
    make += [f"--customize-hook={user}", f"--customize-hook={may}", RELEASE]
    name = f"debian-{hashlib.sha256(repr(make).encode()).hexdigest()[:8]}"
    storage = cache_dir() / "tests" / name
    storage.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(storage / "lock"):
        if not (storage / "root").exists():
            shutil.rmtree(storage / "new", ignore_errors=True)
            subprocess.run([*make, str(storage / "new"), MIRROR], check=True, capture_output=True)
            (storage / "new").rename(storage / "root")
        environment = configure_storage(storage, Path(tempfile.gettempdir(), f"dppctl-{name}"))
    return storage / "root", {**os.environ, **environment}
