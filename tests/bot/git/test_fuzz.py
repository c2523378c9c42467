"""Whatever git says, which may be what somebody pushed: it is read, or refused in one line."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.git.failures import explain, quote
from bot.git.lfs import read_pointer
from bot.git.objects import _split
from bot.git.refs import RefReader
from bot.git.smart_http import split_trace
from bot.git.tree import _entry
from bot.model.names import is_ref, ref_problem

pytestmark = [pytest.mark.fuzz, pytest.mark.slow]
WORDS = [
    *(
        "remote: ",
        "fatal: ",
        "error: ",
        "refs/heads/",
        "refs/tags/",
        "master",
        "^{}",
        "\tHEAD\n",
        "\t",
        "\n",
        "HEAD",
        "a" * 40,
    ),
    *(
        "Permission denied",
        "returned error: 403",
        "Repository not found",
        "Unable to create '",
        ".lock': File exists",
        "GH006",
    ),
    *(
        "{",
        "}",
        "{who}",
        "%s",
        '{"event":"data"',
        "SAML SSO",
        "https://x",
        "dubious ownership in repository at '",
        "'",
        "\0",
    ),
]
TEXT = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=30).map("".join)
TREE = st.lists(
    st.tuples(
        st.sampled_from([b"100644", b"40000", b"120000", b"160000", b"9", b""]),
        st.binary(max_size=9),
        st.binary(max_size=21),
    ),
    max_size=6,
).map(lambda entries: b"".join(mode + b" " + name + b"\0" + identity for mode, name, identity in entries))


@given(TEXT, st.none() | st.just("the token"))
@example("dubious ownership in repository at '\tHEAD\nand another'", None)
@example("Unable to create '/tmp/a\nb.lock': File exists", None)
def test_any_words_of_git_become_one_line(words: str, who: str | None) -> None:
    found = explain(words, who)
    assert "\n" not in (found[0] if found else quote(words)[0])
    split_trace(words)


@given(st.binary(max_size=200) | TREE)
def test_any_listing_of_a_folder_is_read_to_its_end(listing: bytes) -> None:
    entries, rest = _split(listing)
    assert listing.endswith(rest)
    for entry in entries:
        assert len(entry.identity) == 40
        assert entry.is_file + entry.is_link + entry.is_folder <= 1


@given(st.tuples(st.sampled_from([b"100644 blob ", b"040000 tree "]), st.binary(max_size=30)).map(b"".join))
def test_any_line_of_ls_tree_is_read_or_refused(name: bytes) -> None:
    with suppress(DppctlError):
        entry = _entry(b"100644 blob " + b"a" * 40 + b" 12\t" + name)
        assert ".." not in entry.path.split("/")


@given(TEXT)
def test_any_answer_of_ls_remote_names_refs_or_does_not(listing: str) -> None:
    refs = RefReader(None, None, None, listing, None)
    assert all(name.startswith("refs/") and not name.endswith("^{}") for name in refs._named)
    for name in refs._named:
        assert is_ref(name) is (ref_problem(name) is None)


@given(st.binary(max_size=300))
def test_any_file_is_a_pointer_of_lfs_or_is_none(content: bytes) -> None:
    start = b"version https://git-lfs.github.com/spec/v1\noid sha256:"
    for text in (content, start + content):
        found = read_pointer(text)
        assert found is None or len(found.oid) == 64
