"""Makes archives, honest and hostile, for the tests of unpacking."""

import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

SPEC = b"hello:\n  pipeline:\n  - run: noop\n"


@dataclass(frozen=True)
class Link:
    to: str
    hard: bool = False


Content = bytes | Link | None
"""A file, a link, or None for a folder."""


def make_zip(entries: Mapping[str, Content] | list[tuple[str, Content]], executable: bool = False) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of duplicate names, which are meant
        for name, content in _pairs(entries):
            member = zipfile.ZipInfo("x")
            member.filename = name  # the constructor would cut it at a NUL
            member.compress_type = zipfile.ZIP_DEFLATED
            kind = stat.S_IFLNK if isinstance(content, Link) else stat.S_IFDIR if content is None else stat.S_IFREG
            member.external_attr = (kind | (0o755 if executable else 0o644)) << 16
            archive.writestr(member, content.to if isinstance(content, Link) else content or b"")
    return file.getvalue()


def make_tar(
    entries: Mapping[str, Content] | list[tuple[str, Content]], packing: str = "gz", executable: bool = False
) -> bytes:
    """`packing`: gz, bz2, xz, or nothing."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{packing}") as archive:  # type: ignore[call-overload]
        for name, content in _pairs(entries):
            member = tarfile.TarInfo(name)
            member.mode = 0o755 if executable else 0o644
            if isinstance(content, bytes):
                member.size = len(content)
            elif isinstance(content, Link):
                member.type = tarfile.LNKTYPE if content.hard else tarfile.SYMTYPE
                member.linkname = content.to
            else:
                member.type = tarfile.DIRTYPE
            archive.addfile(member, io.BytesIO(content if isinstance(content, bytes) else b""))
    return file.getvalue()


def _pairs(entries: Mapping[str, Content] | list[tuple[str, Content]]) -> list[tuple[str, Content]]:
    return list(entries.items()) if isinstance(entries, Mapping) else entries
