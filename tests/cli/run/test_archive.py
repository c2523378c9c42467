"""Unpacking somebody else's archive: what is honest comes out whole, what is not is refused and lands nowhere."""

import io
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.errors import InputError
from cli.run.archive import unpack
from cli.run.limits import Limits
from tests.support.archives import SPEC, Content, Link, make_tar, make_zip

MAKERS = {
    "zip": make_zip,
    "tar": lambda entries, **more: make_tar(entries, "", **more),
    "tar.gz": make_tar,
    "tar.bz2": lambda entries, **more: make_tar(entries, "bz2", **more),
    "tar.xz": lambda entries, **more: make_tar(entries, "xz", **more),
}
BOTH = pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar.gz"])


def unpacked(archive: bytes, folder: Path, limits: Limits = Limits()) -> Path:  # noqa: B008
    (folder / "archive").write_bytes(archive)
    top = folder / "top"
    top.mkdir()
    unpack(folder / "archive", top, limits)
    return top


def refusal(archive: bytes, folder: Path, limits: Limits = Limits()) -> str:  # noqa: B008
    with pytest.raises(InputError) as caught:
        unpacked(archive, folder, limits)
    return str(caught.value)


def complaint(archive: bytes, folder: Path) -> str | None:
    """The refusal, always one line, or None when it was unpacked."""
    try:
        unpacked(archive, folder)
    except InputError as error:
        said = str(error)
        assert said.isprintable(), said
        return said
    return None


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_an_archive_of_each_kind_comes_out_whole_whatever_its_name(make, tmp_path):
    top = unpacked(make({"./pipeline-spec.yaml": SPEC, "sub/folder/data.csv": b"a\n1\n", "empty/": None}), tmp_path)
    assert (top / "pipeline-spec.yaml").read_bytes() == SPEC
    assert (top / "sub/folder/data.csv").read_bytes() == b"a\n1\n"
    assert (top / "empty").is_dir()


@BOTH
def test_executable_files_stay_executable_and_no_other_bit_is_kept(make, tmp_path):
    top = unpacked(make({"run.sh": b"#!/bin/sh\n"}, executable=True), tmp_path)
    assert os.access(top / "run.sh", os.X_OK)
    other = tmp_path / "other"
    other.mkdir()
    plain = unpacked(make({"data.csv": b"a\n"}), other) / "data.csv"
    assert not stat.S_IMODE(plain.stat().st_mode) & 0o7111


@BOTH
def test_symbolic_links_that_stay_inside_work(make, tmp_path):
    top = unpacked(make({"link": Link("folder/../a.csv"), "folder/up": Link(".."), "a.csv": b"a\n"}), tmp_path)
    assert (top / "link").read_bytes() == b"a\n"
    assert (top / "folder/up/a.csv").read_bytes() == b"a\n"


def test_a_hard_link_to_a_file_of_the_archive_works(tmp_path):
    top = unpacked(make_tar({"a.csv": b"a\n", "sub/b.csv": Link("a.csv", hard=True)}), tmp_path)
    assert (top / "sub/b.csv").read_bytes() == b"a\n"


@BOTH
@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "//evil", "C:/evil", "c:evil", "..\\evil", "a\\b", "a/.."]
)
def test_a_name_that_is_no_plain_relative_path_is_refused_and_shown(make, name, tmp_path):
    said = refusal(make([("fine", b"x"), (name, b"evil")]), tmp_path)
    assert ascii(name) in said
    assert "leaves the folder" in said or "no relative path" in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "fine", "top"]


@BOTH
@pytest.mark.parametrize(
    "entries",
    [
        {"link": Link("../outside")},
        {"link": Link("/etc/passwd")},
        {"sub/link": Link("../../top-secret")},
        {"a": Link("b"), "b": Link("..")},
        {"sub/a": Link("../.."), "c": Link("sub/a/x")},
        {"deep/er": None, "a": Link("deep/er"), "b": Link("a/../../..")},
    ],
)
def test_a_symbolic_link_that_leaves_the_folder_is_refused(make, entries, tmp_path):
    assert "leaves the folder" in refusal(make(entries | {"fine": b"x"}), tmp_path)


@BOTH
def test_nothing_is_written_through_a_symbolic_link(make, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    for entries in (
        [("way", Link(str(outside))), ("way/evil", b"evil")],
        [("way", Link("../outside")), ("way/evil", b"evil")],
        [("way", Link("../outside/evil")), ("way", b"evil")],
        [("way/evil", b"evil"), ("way", Link("../outside"))],
    ):
        work = tmp_path / "work"
        work.mkdir()
        assert "twice" in refusal(make(entries), work)
        assert not list(outside.iterdir())
        work.rename(tmp_path / f"done-{len(list(tmp_path.iterdir()))}")


@pytest.mark.parametrize("to", ["../../etc/passwd", "/etc/passwd", "missing"])
def test_a_hard_link_to_anything_else_is_refused(to, tmp_path):
    refusal(make_tar({"link": Link(to, hard=True)}), tmp_path)


def test_a_hard_link_cannot_go_through_a_symbolic_link(tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    entries = {"way": Link(".."), "got": Link("way/secret", hard=True)}
    assert "no earlier file" in refusal(make_tar(entries), tmp_path)


@BOTH
@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "./a")])
def test_two_entries_for_one_place_are_refused(make, first, second, tmp_path):
    assert "twice" in refusal(make([(first, b"1"), (second, b"2")]), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(kind, tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("odd")
        member.type = kind
        archive.addfile(member)
    assert "'odd' is a device or pipe" in refusal(file.getvalue(), tmp_path)


def test_a_pipe_in_a_zip_is_refused(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo("odd")
        member.external_attr = (stat.S_IFIFO | 0o644) << 16
        archive.writestr(member, b"")
    assert "device or pipe" in refusal(file.getvalue(), tmp_path)


@BOTH
def test_too_many_entries_are_refused(make, tmp_path):
    limits = Limits(max_entries=10)
    assert "more than 10 entries" in refusal(make({f"{number}": b"" for number in range(11)}), tmp_path, limits)


@BOTH
def test_folders_that_have_no_entry_of_their_own_count_too(make, tmp_path):
    assert "more than 10 entries" in refusal(make({"a/" * 20 + "b": b""}), tmp_path, Limits(max_entries=10))


@BOTH
def test_bytes_are_counted_while_unpacking(make, tmp_path):
    limits = Limits(max_unpacked_bytes=10_000_000)
    said = refusal(make({f"{number}": bytes(1_000_000) for number in range(11)}), tmp_path, limits)
    assert "unpacks to more than 10000000 bytes" in said
    assert sum(path.stat().st_size for path in (tmp_path / "top").iterdir()) <= 10_000_000


def test_a_zip_whose_header_lies_about_the_size_is_refused(tmp_path):
    archive = make_zip({"a": bytes(100_000)})
    lying = archive.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert "damaged" in refusal(lying, tmp_path)


def test_a_tar_header_that_claims_gigabytes_does_not_fill_the_memory(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 8 * 2**30 - 1
    assert "headers are too large" in refusal(header.tobuf(tarfile.USTAR_FORMAT) + bytes(10_240), tmp_path)


def test_a_tar_header_that_leads_back_does_not_loop(tmp_path):
    """CVE-2025-8194: an endless loop in the standard library."""
    header = bytearray(tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-1024).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    refusal(make_tar({"fine": b"x"}, "")[:1024] + bytes(header) + bytes(10_240), tmp_path)


@BOTH
def test_a_truncated_archive_is_refused(make, tmp_path):
    whole = make({"a": os.urandom(5000), "b": os.urandom(5000)})
    for number, length in enumerate((400, 5100, len(whole) - 600)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert "truncated or damaged" in refusal(whole[:length], folder)


@pytest.mark.parametrize("at", [512, 1024, 2048])
def test_a_plain_tar_cut_between_two_blocks_is_refused(at, tmp_path):
    assert "truncated" in refusal(make_tar({"a": bytes(512), "b": b"x"}, "")[:at], tmp_path)


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = bytearray(make_zip({"a": b"secret"}))
    archive[6] |= 1
    archive[archive.index(b"PK\1\2") + 8] |= 1
    assert "'a' is encrypted" in refusal(bytes(archive), tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no zip or tar archive"),
        (b"just text", "no zip or tar archive"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "it looks like a web page"),
        (make_zip({}), "holds no files"),
        (make_tar({}), "holds no files"),
        (make_tar({"a/": None}), "holds no files"),
    ],
    ids=["empty file", "text", "web page", "empty zip", "empty tar", "tar of folders"],
)
def test_what_is_no_archive_or_holds_nothing_is_refused(content, said, tmp_path):
    assert said in refusal(content, tmp_path)


def test_a_disk_that_takes_no_more_is_one_line(tmp_path):
    """A limit on the size of files stands for the full disk; it needs no disk of its own."""
    import resource
    import signal

    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    archive = make_zip({"a": bytes(2_000_000)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, kept[1]))
    try:
        said = refusal(archive, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, handler)
    assert said.startswith("cannot unpack: File too large")


names = st.text(st.sampled_from("ab./\\C:\0 ~\n\N{LATIN SMALL LETTER E WITH ACUTE}"), min_size=1, max_size=12)
contents: st.SearchStrategy[Content] = st.one_of(
    st.binary(max_size=3),
    st.builds(
        Link,
        st.sampled_from(["a", "b", ".", "..", "../..", "a/..", "a/../..", "/", "a/b", "b/../../x"]),
        st.booleans(),
    ),
    st.none(),
)


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(names, contents), min_size=1, max_size=6), st.sampled_from([make_zip, make_tar]))
def test_whatever_the_names_and_links_nothing_lands_or_leads_outside(entries, make):
    with tempfile.TemporaryDirectory() as outer:
        place = Path(outer) / "x/y"
        place.mkdir(parents=True)
        try:
            archive = make(entries)
        except ValueError:  # the library cannot even write such a name
            return
        said = complaint(archive, place)
        top = place / "top"
        outside = {path for path in Path(outer).rglob("*") if not path.is_relative_to(top)}
        assert outside == {place.parent, place, place / "archive"}
        if said is None:
            for path in top.rglob("*"):
                assert Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top))


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(MAKERS)), st.data())
def test_a_damaged_archive_is_refused_in_one_line_or_comes_out(kind, data):
    archive = bytearray(MAKERS[kind]({"a.csv": b"a\n1\n", "b": Link("a.csv"), "c/d": bytes(600)}))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        complaint(bytes(archive), Path(folder))
