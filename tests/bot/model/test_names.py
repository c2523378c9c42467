import subprocess
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.model.names import RepoPath, is_ref, is_sha, may_match, ref_problem


def test_a_repository_with_a_path_is_taken_apart() -> None:
    parsed = RepoPath.parse("OriHoch/dppctl/examples/tz-data")
    assert (parsed.repository, parsed.path) == ("OriHoch/dppctl", "examples/tz-data")
    assert parsed.file("x.yaml") == "examples/tz-data/x.yaml"
    assert RepoPath.parse("a/b").file("x.yaml") == "x.yaml"


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/", "/a/b", "a/b/", "a/b//c", "a/b/..", "a/b/../c", "a/../b", "a/..", "-a/b", "a/-b", "a/b/-c",
     "a/b/.git/hooks", "a/b/.GIT", "a/b.git", "a/b c", "a/b\n", "https://x/a/b", "a/b/c\0", "ä/b"],
)  # fmt: skip
def test_what_could_lead_elsewhere_is_no_repository_path(text: str) -> None:
    with pytest.raises(DppctlError, match="not of the form OWNER/REPO"):
        RepoPath.parse(text)


@given(st.text(alphabet="ab./-_+~:\\ \n\0", max_size=20))
def test_whatever_is_accepted_stays_below_its_folder(text: str) -> None:
    try:
        parsed = RepoPath.parse(text)
    except DppctlError:
        return
    assert str(parsed) == text
    assert not {"", ".", ".."} & set(text.split("/"))
    assert "/" not in parsed.slug


@pytest.mark.parametrize(
    "ref",
    ["refs/heads/a..b", "refs/heads/-x", "refs/heads/", "refs/heads/a b", "refs/heads/a\n", "refs/heads/a.lock",
     "refs/tags/@{1}", "refs/heads/x/", "refs/notes/x", "master", "--upload-pack=x", "refs/heads/.x", "refs/heads/a:b"],
)  # fmt: skip
def test_refs_that_git_or_we_do_not_want_are_refused(ref: str) -> None:
    assert not is_ref(ref)


@settings(max_examples=40, deadline=None)
@given(st.from_regex(r"\Arefs/(heads|tags)/[\w./+@#=%,{}~^:-]{1,12}\Z").filter(is_ref))
def test_git_agrees_with_every_accepted_ref(ref: str) -> None:
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


@given(st.text("abv0.-/!", max_size=6), st.text("abv0.-/*?!", max_size=5))
def test_a_pattern_that_matches_the_name_of_a_tag_is_never_called_hopeless(name: str, pattern: str) -> None:
    if is_ref(f"refs/tags/{name}") and fnmatchcase(name, pattern):
        assert may_match(pattern)


@given(st.text(max_size=8) | st.text("av./(!~", max_size=8))
def test_a_name_that_is_not_accepted_has_a_reason_of_one_line(name: str) -> None:
    problem = ref_problem(f"refs/tags/{name}")
    assert (problem is None) is is_ref(f"refs/tags/{name}")
    assert problem is None or "\n" not in problem


def test_only_full_commit_ids_are_shas() -> None:
    assert is_sha("a" * 40)
    assert is_sha("a" * 64)
    assert not any(is_sha(text) for text in ("a" * 39, "A" * 40, "g" * 40, "a" * 40 + "\n", "HEAD"))
