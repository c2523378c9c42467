"""Tars of a worker that forges them."""

import asyncio
import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.publisher.errors import PublicationRefusedError
from cluster.publisher.tar_reader import TarLimits, read_tar
from tests.support.asynchronous import run_async

LIMITS = TarLimits(bytes=1_000_000, files=10)


def tar_of(*headers: tarfile.TarInfo | str, form: int = tarfile.PAX_FORMAT, content: bytes = b"a,b\n") -> bytes:
    """Return a tar of files and of other things."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for header in headers:
            made = tarfile.TarInfo(header) if isinstance(header, str) else header
            if made.isreg():
                made.size = len(content)
            tar.addfile(made, io.BytesIO(content) if made.isreg() else None)
    return out.getvalue()


def read(tar: bytes, limits: TarLimits = LIMITS) -> dict[str, bytes]:
    """Return what is in a tar by the publisher's reader."""

    async def all_of() -> dict[str, bytes]:
        stream = asyncio.StreamReader()
        stream.feed_data(tar)
        stream.feed_eof()
        return {file.path: b"".join([each async for each in file.content]) async for file in read_tar(stream, limits)}

    return run_async(all_of())


def special(kind: bytes, name: str = "data/x", target: str = "/etc/passwd") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_files_come_out_with_long_and_hebrew_names(form: int) -> None:
    names = ["data.csv", "ועדות/חברים.csv", "/".join(["long" * 10] * 10)]
    assert read(tar_of(*names, form=form)) == dict.fromkeys(names, b"a,b\n")
    assert read(tar_of("empty.csv", form=form, content=b"")) == {"empty.csv": b""}


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "symbolic link": (lambda: tar_of(special(tarfile.SYMTYPE)), "a symbolic link, 'data/x'"),
    "hard link": (lambda: tar_of("data/y", special(tarfile.LNKTYPE, target="data/y")), "a hard link"),
    "device": (lambda: tar_of(special(tarfile.CHRTYPE)), "a device"),
    "pipe": (lambda: tar_of(special(tarfile.FIFOTYPE)), "a pipe"),
    "folder": (lambda: tar_of(special(tarfile.DIRTYPE)), "a folder"),
    "sparse": (lambda: tar_of(special(tarfile.GNUTYPE_SPARSE)), "something that is no file"),
    "above": (lambda: tar_of("a/../../x"), "no path of a file"),
    "absolute": (lambda: tar_of("/etc/passwd"), "no path of a file"),
    "hidden": (lambda: tar_of("a/.git/config"), "no path of a file"),
    "empty part": (lambda: tar_of("a//b"), "no path of a file"),
    "5,000 characters": (lambda: tar_of("/".join(["x" * 99] * 50)), "is longer than 800 bytes, 255 a part"),
    "one long part": (lambda: tar_of("x" * 256), "is longer than 800 bytes, 255 a part"),
    "no UTF-8": (lambda: tar_of("a\udcff.csv", form=tarfile.GNU_FORMAT), "is no UTF-8"),
    "a new line": (lambda: tar_of("a\nb.csv"), "has control characters"),
    "no tar": (lambda: b"<html>" * 1000, "is no tar"),
    "a name of a gigabyte": (lambda: _long_name(2**30), "too long to be one"),
    "a negative size": (lambda: _pax("size=-1"), "with a size that is none"),
    "a damaged header": (lambda: _pax("path=x", length="x"), "a pax header is damaged"),
    "sparse by pax": (lambda: _pax("GNU.sparse.major=1"), "a sparse file"),
}


def _long_name(size: int) -> bytes:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, size
    return header.tobuf(tarfile.GNU_FORMAT) + b"x" * 1024


def _pax(record: str, length: str | None = None) -> bytes:
    line = f"{length or len(record) + 4} {record}\n".encode()
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(line)
    return header.tobuf(tarfile.USTAR_FORMAT) + line.ljust(512, b"\0") + tar_of("x.csv")


@pytest.mark.parametrize("what", REFUSED)
def test_a_forged_tar_is_refused_in_one_line(what: str) -> None:
    make, said = REFUSED[what]
    with pytest.raises(PublicationRefusedError) as error:
        read(make())
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_what_is_too_much_is_refused_before_it_is_read() -> None:
    huge = tarfile.TarInfo("huge.csv")
    huge.size = 2**40
    with pytest.raises(PublicationRefusedError, match="more than the 1,000,000 bytes"):
        read(huge.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(PublicationRefusedError, match="more than the 10 files"):
        read(tar_of(*(f"{number}.csv" for number in range(11))))
    with pytest.raises(PublicationRefusedError, match="more than the 5 bytes"):
        read(tar_of("a.csv", "b.csv"), TarLimits(bytes=5, files=10))


@given(st.binary(max_size=2_000), st.integers(0, 1_500))
def test_whatever_comes_is_files_or_one_line(noise: bytes, where: int) -> None:
    tar = bytearray(tar_of("a.csv", "ב.csv"))
    tar[where : where + len(noise)] = noise
    try:
        found = read(bytes(tar))
    except (PublicationRefusedError, asyncio.IncompleteReadError) as error:
        found = {str(error): b""}
    else:
        assert all(not name.startswith((".", "/")) and ".." not in name.split("/") for name in found)
    assert not any("\n" in text for text in found)


def with_right_checksums(tar: bytes) -> bytes:
    """Return a tar whose headers are taken for headers, whatever else was changed in them."""
    blocks = [bytearray(tar[at : at + tarfile.BLOCKSIZE]) for at in range(0, len(tar), tarfile.BLOCKSIZE)]
    for block in blocks:
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
    return b"".join(blocks)


WORDS = [
    b"7" * 11,
    b"\x80\0\0\0\0\0\0\x01",
    b"\xff" * 8,
    b"../",
    b"-5 ",
    b"0 ",
    b"GNU.sparse.map=",
    b"9 path=\n",
    b"x\0g\0L",
]
FORMS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]


@pytest.mark.fuzz
@given(
    st.sampled_from(FORMS),
    st.lists(st.tuples(st.integers(0, 8_000), st.binary(min_size=1, max_size=12) | st.sampled_from(WORDS)), max_size=6),
)
def test_a_header_that_says_anything_is_files_or_one_line(form: int, changes: list[tuple[int, bytes]]) -> None:
    tar = bytearray(tar_of("data.csv", "ועדות/חברים.csv", "/".join(["long" * 10] * 10), form=form))
    for where, content in changes:
        tar[where : where + len(content)] = content[: max(0, len(tar) - where)]
    try:
        found = read(with_right_checksums(bytes(tar)))
    except (PublicationRefusedError, asyncio.IncompleteReadError) as error:
        found = {str(error): b""}
    else:
        assert all(not name.startswith((".", "/")) and ".." not in name.split("/") for name in found)
    assert not any("\n" in text for text in found)
