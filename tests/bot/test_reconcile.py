"""The decision, on plain data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app_config import AppConfig
from bot.names import RepoPath
from bot.reconcile import Choice, Ref, RefState, Refusal, Update, choose, plan
from bot.registration import Target
from bot.specs import Specs
from bot.values import Pipeline

APP, OPS = RepoPath("ann/app"), RepoPath("ann/ops")
STAGING, PRODUCTION = (Target(APP, OPS, name) for name in ("staging", "production"))
ALLOWED = frozenset({STAGING, PRODUCTION})
SPECS = Specs((Pipeline(id="./one"), Pipeline(id="./two", schedule="0 6 * * *")))


def config(*actions: dict[str, object], ops: str = "ann/ops") -> AppConfig:
    deployment = {"appRepoPath": "ann/app", "opsRepoPath": ops, "actions": list(actions)}
    return AppConfig.model_validate({"continuousDeployment": [deployment]})


USUAL = config({"branch": "master", "environment": "staging"}, {"tags": True, "environment": "production"})


def at(name: str, commit: str = "a", created: int = 0, says: AppConfig | str | None = USUAL) -> RefState:
    return RefState(Ref(f"refs/{name}", commit * 40, created), says)


def chosen(*states: RefState) -> dict[str, str]:
    outcomes = choose(APP, ALLOWED, states)
    return {o.target.environment: o.ref.name for o in outcomes if isinstance(o, Choice)}


def refused(*states: RefState) -> list[str]:
    return [o.message for o in choose(APP, ALLOWED, states) if isinstance(o, Refusal)]


def test_the_branch_goes_to_staging_and_the_tag_to_production() -> None:
    assert chosen(at("heads/master"), at("heads/feature"), at("tags/v1")) == {
        "staging": "refs/heads/master",
        "production": "refs/tags/v1",
    }


def test_the_newest_tag_wins_and_in_the_same_second_the_higher_version() -> None:
    assert chosen(at("tags/v2", created=1), at("tags/v1", created=2)) == {"production": "refs/tags/v1"}
    assert chosen(at("tags/v1.10"), at("tags/v1.9")) == {"production": "refs/tags/v1.10"}


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
    assert choose(APP, ALLOWED, [at("heads/master", says=None)]) == []


def planned(pipeline: object, specs: Specs = SPECS) -> list[str] | str:
    says = config({"branch": "master", "environment": "staging", "pipeline": pipeline})
    (choice,) = choose(APP, ALLOWED, [at("heads/master", says=says)])
    assert isinstance(choice, Choice)
    result = plan(choice, specs, None)
    assert result
    return result.message if isinstance(result, Refusal) else [one.id for one in result.values.pipelines]


def test_the_pipelines_are_all_or_the_named_ones() -> None:
    assert planned("all") == ["./one", "./two"]
    assert planned("./two") == ["./two"]
    assert planned(["./two", "./one", "./two"]) == ["./two", "./one"]


@pytest.mark.parametrize(
    ("pipeline", "specs", "said"),
    [
        ("./three", SPECS, "ann/app at master has no pipeline ./three; it has ./one, ./two"),
        ("all", Specs(()), "ann/app at master has no pipelines"),
        ("all", Specs((), "x.source-spec.yaml"), "x.source-spec.yaml generates its pipelines: name them"),
    ],
)
def test_pipelines_that_are_not_there_are_refused(pipeline: str, specs: Specs, said: str) -> None:
    assert str(planned(pipeline, specs)).startswith(said)


def test_a_generated_pipeline_can_be_named() -> None:
    assert planned("./made", Specs((), "x.source-spec.yaml")) == ["./made"]


environments = st.sampled_from(["staging", "production", "live"])
triggers = st.sampled_from([{"branch": "a"}, {"branch": "b"}, {"tags": True}, {"tags": "v*"}])
configs = st.builds(
    lambda found, ops: config(*({**t, "environment": e} for e, t in found.items()), ops=ops),
    st.dictionaries(environments, triggers, min_size=1),
    st.sampled_from(["ann/ops", "bob/ops"]),
)
names = ["heads/a", "heads/b", "tags/v1", "tags/v2", "tags/x"]
states = st.lists(
    st.builds(
        at, st.sampled_from(names), st.sampled_from("abc"), st.integers(0, 3), configs | st.none() | st.just("bad")
    ),
    unique_by=lambda state: state.ref.name,
)


@given(states, st.randoms())
def test_the_order_in_which_refs_are_seen_does_not_matter(found: list[RefState], random: object) -> None:
    once = choose(APP, ALLOWED, found)
    random.shuffle(found)  # type: ignore[attr-defined]
    assert choose(APP, ALLOWED, found) == once


@given(states)
def test_nothing_outside_the_registration_is_ever_chosen_and_nothing_twice(found: list[RefState]) -> None:
    targets = [outcome.target for outcome in choose(APP, ALLOWED, found) if isinstance(outcome, Choice)]
    assert set(targets) <= ALLOWED
    assert len(targets) == len(set(targets))


@given(states)
def test_what_was_done_is_not_done_again(found: list[RefState]) -> None:
    for choice in choose(APP, ALLOWED, found):
        if isinstance(choice, Choice):
            update = plan(choice, SPECS, None)
            assert isinstance(update, Update)
            assert plan(choice, SPECS, update.values) is None
