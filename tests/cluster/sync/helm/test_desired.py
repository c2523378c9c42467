"""Names and fingerprints."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.model.names import RepoPath
from bot.model.registration import Target
from cluster.sync.helm.desired import Entry, ReleaseTarget, desired_at, paths, release_name

OPS = RepoPath("ann/ops", "budget")
TARGET = Target(RepoPath("ann/apps", "Big_Data.2"), OPS, "staging")
PLACE = ReleaseTarget(TARGET, "budget", release_name(TARGET))
CHART, BY_PEOPLE, BY_BOT = paths(TARGET)
ENTRIES: dict[str, Entry] = {CHART: ("tree", "1"), BY_PEOPLE: ("blob", "2"), BY_BOT: ("blob", "3")}


def test_names_are_for_people_and_differ() -> None:
    assert re.fullmatch(r"big-data-2-[0-9a-f]{6}", release_name(TARGET))
    assert release_name(TARGET) != release_name(Target(TARGET.app, OPS, "production"))
    assert release_name(Target(RepoPath("ann/budget"), OPS, "staging")).startswith("budget-")
    assert release_name(Target(RepoPath("ann/2024"), OPS, "staging")).startswith("app-2024-")


@given(
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", fullmatch=True), st.from_regex(r"[a-z]{1,50}", fullmatch=True)
)
def test_every_name_is_one_that_kubernetes_takes(last: str, environment: str) -> None:
    name = release_name(Target(RepoPath(f"ann/{last}"), OPS, environment))
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 47


def test_all_that_decides_what_is_deployed_changes_the_fingerprint() -> None:
    def fingerprint(place: ReleaseTarget = PLACE, **other: Entry) -> str:
        named = {"chart": CHART, "people": BY_PEOPLE, "bot": BY_BOT}
        found = desired_at(place, "c" * 40, {**ENTRIES, **{named[name]: entry for name, entry in other.items()}})
        assert found
        return found.fingerprint

    found = [
        fingerprint(),
        fingerprint(chart=("tree", "9")),
        fingerprint(people=("blob", "9")),
        fingerprint(people=None),
        fingerprint(bot=("blob", "9")),
        fingerprint(ReleaseTarget(TARGET, "elsewhere", PLACE.release)),
    ]
    assert len(set(found)) == len(found)
    assert fingerprint() == found[0]


def test_without_the_bots_file_nothing_is_wanted_and_peoples_file_may_be_missing() -> None:
    assert desired_at(PLACE, "c" * 40, {**ENTRIES, BY_BOT: None}) is None
    found = desired_at(PLACE, "c" * 40, {**ENTRIES, BY_PEOPLE: None})
    assert found
    assert found.value_files == ("budget/environments/staging/values.auto-updated.yaml",)


def test_without_a_chart_it_says_where_one_is_missing() -> None:
    with pytest.raises(DppctlError, match=r"^ann/ops/budget:budget/chart: there is no chart"):
        desired_at(PLACE, "c" * 40, {**ENTRIES, CHART: None})
