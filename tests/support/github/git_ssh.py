"""git over ssh with deploy keys, the way GitHub serves it: a real sshd (tests/support/sshd.py).

What GitHub prints for a wrong key: https://docs.github.com/en/authentication/troubleshooting-ssh
"""

import getpass
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.sshd import sshd_on_loopback

if TYPE_CHECKING:
    from tests.support.github.state import State

# Called with the key's repository, its bare folder, and whether the key may only read.
_SERVE = """\
#!/bin/sh
case "$SSH_ORIGINAL_COMMAND" in
"git-upload-pack '/$1.git'") exec git upload-pack "$2" ;;
"git-receive-pack '/$1.git'")
  if test "$3" = True; then
    echo 'ERROR: The key you are authenticating with has been marked as read only.' >&2
    exit 1
  fi
  exec git receive-pack "$2" ;;
*)
  echo 'ERROR: Repository not found.' >&2
  exit 1 ;;
esac
"""


@contextmanager
def git_ssh(github: "State", folder: Path) -> Iterator[str]:
    """The URL for DPPCTL_GITHUB_SSH_URL; `github.ssh_keys` are the host's keys, as /meta shows them."""
    folder.mkdir()
    new_host_key(github, folder)
    (folder / "serve").write_text(_SERVE)
    (folder / "serve").chmod(0o700)
    github.authorized_keys = folder / "authorized_keys"
    write_authorized_keys(github)
    with sshd_on_loopback(folder, "AcceptEnv GIT_PROTOCOL\n") as port:
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}"


def new_host_key(github: "State", folder: Path) -> None:
    """As when GitHub replaces its own."""
    for old in folder.glob("host_key*"):
        old.unlink()
    new = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / "host_key")]
    subprocess.run(new, check=True)
    github.ssh_keys = [(folder / "host_key.pub").read_text().strip()]


def write_authorized_keys(github: "State") -> None:
    """After a change of deploy keys: sshd reads the file at each connection."""
    if github.authorized_keys is None:
        return
    lines = []
    for repo in github.repos.values():
        for key in repo.keys.values():
            about = (repo.full_name, str(repo.git.bare), str(key["read_only"]))
            command = shlex.join([str(github.authorized_keys.with_name("serve")), *about])
            lines.append(f'command="{command}",restrict {key["key"]}\n')
    github.authorized_keys.write_text("".join(lines))
