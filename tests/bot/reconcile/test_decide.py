"""The decision, on plain data."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.images.decide import ImagePolicy
from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, CommitState, HoldState, RefState, TargetState
from bot.model.decisions import Choice, Decision, EndHold, Ref, Refusal, Same, Skip, Update, UpToDate
from bot.model.names import RepoPath
from bot.model.pipeline_specs import Specs
from bot.model.registration import Target
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.decide import asks_to_skip, choose_named, decide, decide_manual
from bot.reconcile.decide import choose as choose_of
from bot.reconcile.decide import plan as plan_of

APP, OPS = RepoPath("ann/app"), RepoPath("ann/ops")
STAGING, PRODUCTION = (Target(APP, OPS, name) for name in ("staging", "production"))
ALLOWED = frozenset({STAGING, PRODUCTION})
SPECS = Specs((Pipeline(id="./one"), Pipeline(id="./two", schedule="0 6 * * *")))


def config(*actions: dict[str, object], ops: str = "ann/ops") -> AppConfig:
    deployment = {"appRepoPath": "ann/app", "opsRepoPath": ops, "actions": list(actions)}
    return AppConfig.model_validate({"continuousDeployment": [deployment]})


USUAL = config({"branch": "master", "environment": "staging"}, {"tags": True, "environment": "production"})


def at(name: str, commit: str = "a", created: int = 0, says: AppConfig | str | None = USUAL) -> RefState:
    return RefState(Ref(f"refs/{name}", commit * 40), created, says)


def choose(states: Sequence[RefState], baseline: frozenset[Ref] = frozenset()) -> list[Choice | Refusal]:
    return choose_of(AppState(APP, ALLOWED, tuple(states), baseline))


def plan(
    choice: Choice, specs: Specs | str, present: Values | None = None, *, same_files: bool = False
) -> Update | Refusal | Same | None:
    """Decide on one choice alone; `same_files`: as those that the environment runs."""
    commit = CommitState(USUAL, specs, "tree", "message", has_dockerfile=False)
    target = TargetState(present, "tree" if same_files else "another tree")
    return plan_of(choice, commit, target)


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


def test_a_second_tag_on_the_commit_that_runs_deploys_nothing() -> None:
    (first,) = choose([at("tags/v1")])
    (second,) = choose([at("tags/v2")])
    assert isinstance(first, Choice)
    assert isinstance(second, Choice)
    update = plan(first, SPECS)
    assert isinstance(update, Update)
    same = plan(second, SPECS, update.values, same_files=True)
    assert same == Same(PRODUCTION, second.ref, f"nothing changed in the files since v1 ({'a' * 12})")


def test_what_a_repository_of_another_name_brought_is_deployed_anew() -> None:
    (choice,) = choose([at("heads/master")])
    assert isinstance(choice, Choice)
    first = plan(choice, SPECS)
    assert isinstance(first, Update)
    renamed = first.values.source.model_copy(update={"repository": "ann/old"})
    held = first.values.model_copy(update={"source": renamed})
    assert plan(choice, SPECS, held, same_files=True) == first


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


def test_the_same_files_are_not_deployed_again_unless_the_pipelines_are_others() -> None:
    (choice,) = choose([at("heads/master")])
    (later,) = choose([at("heads/master", "b")])
    assert isinstance(choice, Choice)
    assert isinstance(later, Choice)
    first = plan(choice, SPECS)
    assert isinstance(first, Update)
    same = plan(later, SPECS, first.values, same_files=True)
    assert isinstance(same, Same)
    assert same == Same(STAGING, later.ref, f"nothing changed in the files since master ({'a' * 12})")
    assert isinstance(plan(later, SPECS, first.values), Update)
    assert isinstance(plan(later, Specs(SPECS.pipelines[:1]), first.values, same_files=True), Update)


def test_by_hand_the_same_is_done_anew_and_stays_as_it_is_then() -> None:
    (choice,) = choose([at("heads/master")])
    assert isinstance(choice, Choice)
    first = plan(choice, SPECS)
    assert isinstance(first, Update)
    again = decide_manual(choice, state_of(at("heads/master"), present=first.values), 7)
    assert isinstance(again, Update)
    assert again.values.to_yaml().endswith("request: 7\n")
    assert "request" not in first.values.to_yaml()
    assert plan(choice, SPECS, again.values) is None


def state_of(
    ref: RefState,
    present: Values | None = None,
    hold: HoldState | None = None,
    message: str = "change",
    target: Target = STAGING,
) -> AppState:
    """Make an app with one ref, and one environment whose ops repo could be read."""
    assert isinstance(ref.config, AppConfig)
    commit = CommitState(ref.config, SPECS, "tree", message, has_dockerfile=False)
    targets = {target: TargetState(present, hold=hold)}
    return AppState(APP, ALLOWED, (ref,), targets=targets, commits={ref.ref.commit: commit})


def decided(state: AppState, why_not: str | None = "no registry") -> list[Decision]:
    return list(decide(state, ImagePolicy("registry.example.org", why_not)))


def test_an_environment_whose_ops_repo_cannot_be_read_is_left_alone() -> None:
    assert decided(state_of(at("heads/master"), target=PRODUCTION)) == []


def test_what_runs_without_an_image_is_deployed_anew_once_there_are_images() -> None:
    (first,) = decided(state_of(at("heads/master")))
    assert isinstance(first, Update)
    state = state_of(at("heads/master"), present=first.values)
    assert decided(state) == [UpToDate(STAGING)]
    assert decided(state, why_not=None) == [first]


def test_a_hold_keeps_an_update_back_and_ends_when_something_else_would_be_deployed() -> None:
    ref = at("heads/master")
    assert decided(state_of(ref, hold=HoldState("elections"))) == [Skip(APP, "staging", ref.ref, "held: elections")]
    (quiet,) = decided(state_of(ref, hold=HoldState("v1 was deployed by hand", "refs/heads/master", "tree")))
    assert isinstance(quiet, Skip)
    assert not quiet.is_news
    for over in (HoldState("", "refs/heads/other", "tree"), HoldState("", "refs/heads/master", "another tree")):
        ended, update = decided(state_of(ref, hold=over))
        assert ended == EndHold(STAGING)
        assert isinstance(update, Update)
        # Also when the environment runs already what it should.
        assert decided(state_of(ref, hold=over, present=update.values)) == [EndHold(STAGING), UpToDate(STAGING)]


def test_a_message_that_asks_for_it_keeps_an_update_back_but_nothing_that_runs() -> None:
    ref, message = at("heads/master"), "fix [skip deploy]"
    skip = Skip(APP, "staging", ref.ref, "its commit message says [skip deploy]")
    assert decided(state_of(ref, message=message)) == [skip]
    (update,) = decided(state_of(ref))
    assert isinstance(update, Update)
    assert decided(state_of(ref, present=update.values, message=message)) == [UpToDate(STAGING)]


def test_a_named_ref_runs_what_its_file_says_for_the_environment_or_all() -> None:
    says = config({"branch": "other", "environment": "staging", "pipeline": "./two"})
    ref = at("heads/x").ref
    assert choose_named(STAGING, at("heads/x", says=says)) == Choice(STAGING, ref, "./two")
    for without in (None, config({"branch": "other", "environment": "live"})):
        assert choose_named(STAGING, at("heads/x", says=without)) == Choice(STAGING, ref, "all")
    assert choose_named(STAGING, at("heads/x", says="bad")) == Refusal(APP, "staging", ref, "bad")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("fix", None),
        ("fix [skip deploy]", "[skip deploy]"),
        ("fix\n\n--no-deploy\n", "--no-deploy"),
        ("x--no-deploy", None),
        ("--no-deployments", None),
        ("about [SKIP DEPLOY]s", "[SKIP DEPLOY]"),
    ],
)
def test_a_message_asks_to_skip_in_these_words_only(message: str, words: str | None) -> None:
    assert asks_to_skip(message) == words


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


def planned(pipeline: object, specs: Specs = SPECS) -> list[str] | str:
    says = config({"branch": "master", "environment": "staging", "pipeline": pipeline})
    (choice,) = choose([at("heads/master", says=says)])
    assert isinstance(choice, Choice)
    result = plan(choice, specs)
    assert isinstance(result, Update | Refusal)
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
    ],
)
def test_pipelines_that_are_not_there_are_refused(pipeline: str, specs: Specs, said: str) -> None:
    assert str(planned(pipeline, specs)).startswith(said)


def test_all_of_generated_pipelines_is_left_to_the_worker_with_the_known_schedules() -> None:
    assert planned("all", Specs(SPECS.pipelines, "x.source-spec.yaml")) == ["all", "./two"]


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
    once = choose(found)
    random.shuffle(found)  # type: ignore[attr-defined]
    assert choose(found) == once


@given(states)
def test_nothing_outside_the_registration_is_ever_chosen_and_nothing_twice(found: list[RefState]) -> None:
    targets = [outcome.target for outcome in choose(found) if isinstance(outcome, Choice)]
    assert set(targets) <= ALLOWED
    assert len(targets) == len(set(targets))


@given(states)
def test_what_was_done_is_not_done_again(found: list[RefState]) -> None:
    for choice in choose(found):
        if isinstance(choice, Choice):
            update = plan(choice, SPECS)
            assert isinstance(update, Update)
            assert plan(choice, SPECS, update.values) is None
