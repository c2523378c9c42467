"""Whose signatures count: lines as OpenSSH has them in a file of allowed signers, and OpenPGP keys.

https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS, https://www.rfc-editor.org/rfc/rfc9580#name-forming-ascii-armor
"""

import re

_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_KEY_TYPE = r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+"
_OPTION = r"[a-z-]+(?:=\"[^\"]*\")?"
_SSH = re.compile(rf"\S+ +(?:{_OPTION}(?:,{_OPTION})* +)?{_KEY_TYPE} +[A-Za-z0-9+/]+=*(?: .*)?")


def is_openpgp(signer: str) -> bool:
    """Return whether this is a key of OpenPGP's, not of OpenSSH's."""
    return signer.startswith(_BEGIN)


def check_signer(text: str) -> str:
    """Return a signer without spaces around. Raises ValueError when it is neither of the two."""
    signer = text.strip()
    if not (is_openpgp(signer) and signer.endswith(_END)) and not _SSH.fullmatch(signer):
        raise ValueError("expected `NAME ssh-ed25519 AAAA…`, or a public key of OpenPGP in ASCII armour")
    return signer


def parse_signers(text: str) -> tuple[str, ...]:
    """Return the signers of a file, which holds keys of both kinds. Raises ValueError, with the line."""
    found: list[str] = []
    block: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if block or line.startswith(_BEGIN):
            block.append(line)
            if line.strip() == _END:
                found.append(check_signer("\n".join(block)))
                block = []
        elif line.strip() and not line.startswith("#"):
            try:
                found.append(check_signer(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    if block:
        raise ValueError("an OpenPGP key has no end")
    return tuple(found)
