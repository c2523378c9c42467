"""Which ref each environment is to run, on plain data."""

from datetime import UTC, datetime

from bot.model.app_state import AppState, HoldState, RefState, TargetState
from bot.model.decisions import Choice, Ref, Refusal
from bot.model.values import Source, Values
from bot.reconcile.decide import choose as choose_of
from bot.reconcile.decide import choose_named
from tests.support.app_states import ALLOWED, APP, PRODUCTION, STAGING, USUAL, at, choose, config


def chosen(*states: RefState) -> dict[str, str]:
    outcomes = choose(states)
    return {o.target.environment: o.ref.name for o in outcomes if isinstance(o, Choice)}


def refused(*states: RefState) -> list[str]:
    return [o.message for o in choose(states) if isinstance(o, Refusal)]


def test_the_branch_goes_to_staging_and_the_tag_to_production() -> None:
    assert chosen(at("heads/master"), at("heads/feature"), at("tags/v1")) == {
        "staging": "refs/heads/master",
        "production": "refs/tags/v1",
    }


def test_the_newest_tag_wins_and_in_the_same_second_the_higher_version() -> None:
    assert chosen(at("tags/v2", created=1), at("tags/v1", created=2)) == {"production": "refs/tags/v1"}
    assert chosen(at("tags/v1.10"), at("tags/v1.9")) == {"production": "refs/tags/v1.10"}


def tag(name: str, minute: int, created: int = 0) -> RefState:
    appeared = datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
    return RefState(Ref(f"refs/tags/{name}", "a" * 40), created, USUAL, appeared)


def test_the_tag_that_appeared_last_wins_whatever_its_date_or_version() -> None:
    assert chosen(tag("v2", 0, created=9), tag("v1", 1, created=3)) == {"production": "refs/tags/v1"}


def test_of_tags_that_appeared_at_once_the_version_decides_then_the_date() -> None:
    assert chosen(tag("v1.9", 0, created=9), tag("v1.10", 0), tag("v1.10-rc", 0)) == {"production": "refs/tags/v1.10"}
    assert chosen(tag("one", 0, created=9), tag("two", 0, created=8)) == {"production": "refs/tags/one"}


def test_tags_of_the_baseline_deploy_nothing() -> None:
    states = [at("heads/master"), tag("v1", 0), tag("v2", 1)]
    refs = [state.ref for state in states[1:]]
    moved = Ref("refs/tags/v2", "f" * 40)
    for baseline, environments in (
        (refs[:1], {"staging", "production"}),
        (refs, {"staging"}),
        ([refs[0], moved], {"staging", "production"}),
    ):
        outcomes = choose(states, frozenset(baseline))
        assert {o.target.environment for o in outcomes if isinstance(o, Choice)} == environments


def test_two_branches_for_one_environment_are_refused_and_dates_decide_nothing() -> None:
    other = config({"branch": "feature", "environment": "staging"})
    late = 1_900_000_000  # a laptop's clock of 2030
    states = at("heads/master", "a"), at("heads/feature", "b", created=late, says=other)
    assert chosen(*states) == {}
    said = "2 branches are for staging, each by its own .dppctl.yaml: feature, master; leave it to one of them"
    assert refused(*states) == [said, said]
    assert chosen(at("heads/master", created=late), at("heads/x", "b")) == {"staging": "refs/heads/master"}


def test_a_branch_counts_before_tags_whatever_their_dates() -> None:
    tags = config({"tags": True, "environment": "staging"})
    for created in (0, 1_900_000_000):
        states = at("heads/master", created=1_800_000_000), at("tags/v1", "b", created=created, says=tags)
        assert chosen(*states) == {"staging": "refs/heads/master"}


def environment_refused(*refs: RefState, runs: str, hold: HoldState | None = None) -> list[str]:
    """Return the environments that refusals are for, where production runs a ref."""
    source = Source(repository="ann/app", path="", ref=runs, commit="c" * 40)
    present = TargetState(Values(image=None, source=source, pipelines=()), hold=hold)
    state = AppState(APP, ALLOWED, refs, targets={PRODUCTION: present})
    return [outcome.environment for outcome in choose_of(state) if isinstance(outcome, Refusal)]


def test_a_broken_file_is_refused_for_the_environments_that_the_ref_is_for() -> None:
    assert environment_refused(at("heads/live", says="bad"), runs="refs/heads/live") == ["production"]
    assert environment_refused(at("heads/x", says="bad"), runs="refs/heads/live") == [""]
    by_hand = HoldState("a commit was deployed by hand instead of live", "refs/heads/live", "tree")
    assert environment_refused(at("heads/live", says="bad"), runs="d" * 40, hold=by_hand) == ["production"]
    versions = config({"tags": "v*", "environment": "production"})
    old = at("tags/v1", created=1, says=versions)
    assert environment_refused(old, at("tags/v2", created=2, says="bad"), runs="refs/tags/v1") == ["production"]
    assert environment_refused(old, at("tags/nightly", created=2, says="bad"), runs="refs/tags/v1") == [""]


def test_a_named_ref_runs_what_its_file_says_for_the_environment_or_all() -> None:
    says = config({"branch": "other", "environment": "staging", "pipeline": "./two"})
    ref = at("heads/x").ref
    assert choose_named(STAGING, at("heads/x", says=says)) == Choice(STAGING, ref, "./two")
    for without in (None, config({"branch": "other", "environment": "live"})):
        assert choose_named(STAGING, at("heads/x", says=without)) == Choice(STAGING, ref, "all")
    assert choose_named(STAGING, at("heads/x", says="bad")) == Refusal(APP, "staging", ref, "bad")


def test_a_newer_tag_that_no_rule_names_changes_nothing() -> None:
    says = config({"tags": "v*", "environment": "production"})
    states = at("tags/v1", created=1, says=says), at("tags/nightly", created=2, says=says)
    assert chosen(*states) == {"production": "refs/tags/v1"}


def test_each_ref_speaks_through_its_own_file() -> None:
    other = config({"branch": "master", "environment": "production"})
    assert chosen(at("heads/master", says=USUAL), at("heads/feature", says=other)) == {"staging": "refs/heads/master"}


def test_another_ops_repo_or_environment_than_registered_is_refused() -> None:
    elsewhere = config({"branch": "master", "environment": "staging"}, ops="bob/ops")
    assert chosen(at("heads/master", says=elsewhere)) == {}
    assert refused(at("heads/master", says=elsewhere)) == [
        "ann/app is not registered for staging of bob/ops; it may deploy to production of ann/ops, staging of ann/ops"
    ]
    assert "not registered for live" in refused(at("heads/x", says=config({"branch": "x", "environment": "live"})))[0]


def test_a_broken_file_is_reported_for_branches_and_the_newest_tag_only() -> None:
    broken = [
        at("heads/x", says="bad 1"),
        at("tags/v1", created=1, says="bad 2"),
        at("tags/v2", created=2, says="bad 3"),
    ]
    assert refused(*broken) == ["bad 1", "bad 3"]


def test_without_a_file_there_is_nothing_to_do() -> None:
    assert choose([at("heads/master", says=None)]) == []
