"""Whether commits and tags are signed by somebody who is listed, by git's own verification.

https://git-scm.com/docs/git-verify-commit. The keys are those that the settings list and no others: neither this
machine's keyring nor what a repository says of itself counts.
"""

import shlex
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bot import process
from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError
from bot.limits import GIT_SECONDS
from bot.model.decisions import Ref
from bot.model.documents import read_text
from bot.model.names import kind_and_name, short
from bot.model.registration import Target
from bot.model.signers import is_openpgp, parse_signers
from bot.program_environment import listed_environment
from bot.settings import Settings


class Signatures:
    """Knows whose signatures an app's commits need. Safe to use from several threads."""

    def __init__(self, git: Git, settings: Settings, targets: Iterable[Target]) -> None:
        """Read the listed keys. Raises DppctlError when an app needs signatures, and nobody's count."""
        self._git = git
        self._is_default = settings.github.commits == "signed"
        self._lock = threading.Lock()
        self._folders: dict[tuple[str, ...], tempfile.TemporaryDirectory[str]] = {}
        file = settings.github.signers_file
        try:
            self._signers = parse_signers(read_text(file)) if file else ()
        except FileNotFoundError:
            raise DppctlError(f"DPPCTL_SIGNERS_FILE: there is no file {file}") from None
        except ValueError as error:
            raise DppctlError(f"DPPCTL_SIGNERS_FILE: {file}: {error}") from None
        for target in targets:
            if self.signers(target) == ():
                what = "list signers in apps.yaml, or name a file of them: DPPCTL_SIGNERS_FILE"
                raise DppctlError(f"{target.app} is to be verified, and nobody's signature counts; {what}")

    def signers(self, target: Target) -> tuple[str, ...] | None:
        """Return whose signatures count for an app; None: it needs none."""
        needed = target.verify == "signed" if target.verify else self._is_default or bool(target.signers)
        return (target.signers or self._signers) if needed else None

    def problems(self, target: Target, folder: Path, refs: Iterable[Ref]) -> Mapping[Ref, str]:
        """Return why refs of the app, whose repository's copy is in the folder, cannot be trusted. Raises GitError."""
        if (signers := self.signers(target)) is None:
            return {}
        config = self._config(signers)
        return {ref: problem for ref in set(refs) if (problem := self._problem(folder, ref, config))}

    def _problem(self, folder: Path, ref: Ref, config: Mapping[str, str]) -> str | None:
        """Return why a ref is not trusted: a tag has to be signed itself, for anybody may tag an old commit."""
        command, identity, what = "verify-commit", ref.commit, f"commit {ref.commit[:12]}"
        if ref.name.startswith("refs/tags/"):
            command, what = "verify-tag", kind_and_name(ref.name)
            names = (ref.name, f"{ref.name}^{{commit}}")
            identity, commit = self._git.run(folder, "rev-parse", *names).decode().split()
            if commit != ref.commit:
                return f"{what} was moved meanwhile; push it again"
            if identity == commit:
                return f"{what} is not signed; tag it with `git tag --sign`"
            held = self._git.run(folder, "cat-file", "tag", identity).decode(errors="replace")
            if f"tag {short(ref.name)}" not in held.partition("\n\n")[0].splitlines():
                return f"{what} holds the signature of another tag; tag it with `git tag --sign`"
        try:
            self._git.run(folder, command, identity, config=config)
        except GitError as error:
            if error.code != 1:
                raise
            return f"{what} is not signed by anybody who is listed (signers in apps.yaml, or DPPCTL_SIGNERS_FILE)"
        return None

    def _config(self, signers: tuple[str, ...]) -> dict[str, str]:
        """Return git's settings by which these signers count."""
        with self._lock:
            if signers not in self._folders:
                self._folders[signers] = _write(signers)
        folder = Path(self._folders[signers].name)
        return {
            "gpg.ssh.allowedSignersFile": str(folder / "allowed_signers"),
            "gpg.program": str(folder / "gpg"),
            "gpg.x509.program": "false",
            "gpg.minTrustLevel": "fully",  # without a name that the key belongs to git says `undefined`
        }


def _write(signers: Sequence[str]) -> tempfile.TemporaryDirectory[str]:
    """Write a folder with these keys for git. Raises DppctlError when gpg cannot read one."""
    made = tempfile.TemporaryDirectory(prefix="dppctl-signers-")
    folder = Path(made.name)
    openpgp = [signer for signer in signers if is_openpgp(signer)]
    ssh = [signer for signer in signers if not is_openpgp(signer)]
    (folder / "allowed_signers").write_text("".join(f"{signer}\n" for signer in ssh))
    (folder / "home").mkdir(mode=0o700)
    options = ["--homedir", str(folder / "home"), "--no-autostart", "--trust-model", "always"]
    text = f'#!/bin/sh\nexec {shlex.join(["gpg", *options])} "$@"\n' if openpgp else "#!/bin/sh\nexit 2\n"
    (folder / "gpg").write_text(text)
    (folder / "gpg").chmod(0o700)
    if openpgp:
        command = ["gpg", *options, "--batch", "--quiet", "--import"]
        keys = "\n".join(openpgp)
        ended = process.ask(command, listed_environment(), GIT_SECONDS, stdin=f"{keys}\n")
        if ended.code:
            raise DppctlError(f"the OpenPGP keys of signers cannot be read by gpg: {ended.text[-300:]}")
    return made
