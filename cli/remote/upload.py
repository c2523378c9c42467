"""The upload of a workload, once for the same files, with a bar on a terminal while it lasts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from cli.output_options import console, is_quiet
from cli.remote.client import ProxyClient
from cli.remote.pack import PackedWorkload


class ProgressBar(Protocol):
    """Shows how many bytes went through."""

    def show(self, size: int) -> None:
        """Show so many bytes."""


class _Unseen:
    def show(self, size: int) -> None:
        pass


class _Content:
    """A file of known size that requests reads piece by piece; each reading from its start is one try."""

    def __init__(self, file: IO[bytes], size: int, bar: ProgressBar) -> None:
        file.seek(0)
        self._file, self._size, self._bar = file, size, bar

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._bar.show(self._file.tell())
        return piece


def upload(proxy: ProxyClient, workload: PackedWorkload) -> None:
    """Upload a workload that the cluster does not have yet. Raises ProxyAwayError and ProxyRefusedError."""
    if proxy.has_workload(workload.sha256):
        return
    with progress_bar(workload.size, "Uploading") as bar:
        proxy.put_workload(workload.sha256, lambda: _Content(workload.file, workload.size, bar))


@contextmanager
def progress_bar(size: int, what: str) -> Iterator[ProgressBar]:
    """Show on a terminal how many of so many bytes went through, in this context; `what`: is done with them."""
    if is_quiet() or not sys.stderr.isatty():
        yield _Unseen()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("upload", total=size)

        class Shown:
            def show(self, size: int) -> None:
                progress.update(task, completed=size)

        yield Shown()
