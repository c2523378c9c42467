"""Where publications are in the storage, and what is current: pure."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.storage.layout import (
    MAX_POINTER_BYTES,
    LayoutError,
    Pointer,
    Prefix,
    is_last,
    make_id,
    removable,
    switch,
)

NOW = datetime(2026, 11, 26, 17, 15, tzinfo=UTC)
IDS = [make_id(NOW + timedelta(minutes=number), f"run{number}") for number in range(10)]


def test_a_run_has_one_folder_and_a_deployment_has_releases() -> None:
    run, deployment = Prefix.parse("worker-1"), Prefix.parse("ann+data/production/")
    assert (run.text, run.is_deployment) == ("worker-1/", False)
    assert (deployment.text, deployment.is_deployment) == ("ann+data/production/", True)
    assert deployment.pointer == "ann+data/production/current.json"
    alone = Prefix("")
    assert (alone.is_deployment, alone.pointer, alone.release("ID")) == (True, "current.json", "releases/ID/")
    assert deployment.release("ID") == "ann+data/production/releases/ID/"


@pytest.mark.parametrize(
    "text", ["", "/", "..", "a/../b", "/etc", "a//b", "a/b/c", ".hidden", "a b", "releases", "א", "x" * 200, "a\0"]
)
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(LayoutError, match="no prefix of the storage"):
        Prefix.parse(text)


def test_the_longest_prefix_says_which_release_a_path_is_read_from() -> None:
    pointer = Pointer(paths={"": IDS[0], "a/": IDS[1], "a/b/": IDS[2]}, published=NOW)
    expected = {"": 0, "index.html": 0, "ab/x": 0, "a": 1, "a/": 1, "a/x.csv": 1, "a/bc": 1, "a/b": 2, "a/b/c/d": 2}
    assert {path: IDS.index(pointer.resolve(path) or "") for path in expected} == expected
    assert Pointer(paths={"a/": IDS[1]}, published=NOW).resolve("b/x") is None


def test_what_lies_below_a_folder_by_paths_of_its_own_is_known() -> None:
    pointer = Pointer(paths={"a/b/": IDS[0], "a/c/d/": IDS[1], "e/": IDS[2]}, published=NOW)
    assert (pointer.below(""), pointer.below("a/"), pointer.below("e/")) == (("a", "e"), ("b", "c"), ())


def test_a_run_of_some_pipelines_replaces_its_packages_only() -> None:
    first = switch(None, IDS[0], ["committees/", "members/"], NOW)
    second = switch(first, IDS[1], ["members/"], NOW)
    assert second.paths == {"committees/": IDS[0], "members/": IDS[1]}
    assert switch(second, IDS[1], ["members/"], NOW + timedelta(days=1)) is second
    assert Pointer.read(second.write()) == second


def test_what_the_last_three_pointers_named_stays_and_the_rest_goes() -> None:
    pointer = None
    for release in IDS[:5]:
        pointer = switch(pointer, release, ["a/"], NOW)
    half, foreign = make_id(NOW + timedelta(hours=1), "half"), "README"
    assert removable([*IDS[:5], half, foreign], pointer, NOW + timedelta(minutes=30)) == tuple(IDS[:2])
    assert removable([*IDS[:5], half, foreign], pointer, NOW + timedelta(hours=2)) == (*IDS[:2], half)
    assert removable([*IDS[:2], foreign], None, NOW + timedelta(hours=2)) == tuple(IDS[:2])


@pytest.mark.parametrize("path", ["releases/", "releases/x/", "a", "/", "../", "a/../", ".git/", "a//b/"])
def test_a_path_that_could_lead_elsewhere_is_never_pointed_to(path: str) -> None:
    with pytest.raises(LayoutError):
        switch(None, IDS[0], [path], NOW)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"version":2,"paths":{},"published":"2026-01-01T00:00:00Z"}', b'{"paths":{"a/":"../x"}}']
)
def test_a_pointer_that_is_none_is_one_clear_line(text: bytes) -> None:
    with pytest.raises(LayoutError, match=r"^current.json cannot be read: [^\n]+$"):
        Pointer.read(text)


def test_a_pointer_is_never_larger_than_its_readers_read() -> None:
    paths = [f"{number}{'x' * 100}/" for number in range(9_000)]
    half = switch(None, IDS[0], paths[:4_500], NOW)
    assert Pointer.read(half.write()[:MAX_POINTER_BYTES]) == half
    with pytest.raises(LayoutError, match=r"there are 9,000 published paths, .* more than 1,048,576 bytes; publish"):
        switch(half, IDS[1], paths[4_500:], NOW)


def test_descriptors_come_last() -> None:
    assert [is_last(file) for file in ("a/datapackage.json", "index.html", "a/data.csv", "xindex.html")] == [
        True,
        True,
        False,
        False,
    ]


@given(st.lists(st.tuples(st.sampled_from(IDS), st.sets(st.sampled_from(["", "a/", "a/b/", "c/"]), min_size=1))))
def test_whatever_is_switched_is_read_from_the_newest_that_wrote_it(switches: list[tuple[str, set[str]]]) -> None:
    pointer, newest = None, dict[str, str]()
    for release, paths in switches:
        pointer = switch(pointer, release, paths, NOW)
        newest |= dict.fromkeys(paths, release)
        assert pointer.paths == newest
        assert not set(removable(IDS, pointer, NOW + timedelta(days=1))) & set(newest.values())
