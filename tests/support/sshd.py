"""A real sshd on loopback, a process for each connection, as inetd would start it."""

import os
import shutil
import socketserver
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.serving import in_thread

_CONFIG = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
StrictModes no
UsePAM no
PidFile none
"""
# sshd wants a folder below /run when it is root's; it gets one that nobody else sees.
_AS_ROOT = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"', "sh"]


@contextmanager
def sshd_on_loopback(folder: Path, more: str = "") -> Iterator[int]:
    """Its port. `folder` has `host_key` and `authorized_keys`, read at each connection; `more`: more settings."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    (folder / "config").write_text(_CONFIG.format(folder=folder) + more)
    command = [*(_AS_ROOT if os.geteuid() == 0 else []), str(sshd), "-i", "-e", "-f", str(folder / "config")]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (folder / "log").open("ab") as log:
                subprocess.run(command, stdin=self.request, stdout=self.request, stderr=log, check=False)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    with in_thread(server):
        yield int(server.server_address[1])
