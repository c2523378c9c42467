"""A certificate authority of the test's own. Whoever uses it is marked: pytest.mark.needs("openssl")."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """ca: its certificate; server: one that it signed for 127.0.0.1, with its key. Both PEM."""

    ca: Path
    server: Path


def make_authority(folder: Path) -> Authority:
    """Make one in a new folder."""
    folder.mkdir()
    names = ("ca.key", "ca.crt", "server.key", "server.csr", "server.crt", "server.pem", "extensions")
    ca_key, ca, key, request, certificate, both, extensions = (folder / name for name in names)
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ["req", "-newkey", "rsa:2048", "-nodes"]
    _openssl(*new, "-x509", "-days", "2", "-subj", "/CN=Ours", "-keyout", ca_key, "-out", ca)
    _openssl(*new, "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request)
    signed_by = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-extfile", extensions)
    _openssl("x509", "-req", "-in", request, *signed_by, "-out", certificate)
    both.write_text(key.read_text() + certificate.read_text())
    return Authority(ca, both)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
