"""The decision, on plain data."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.images.decide import ImagePolicy
from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, CommitState, ForeignChange, HoldState, RefState, TargetState
from bot.model.decisions import BeginHold, Choice, Decision, EndHold, Refusal, SameFiles, Skip, Update, UpToDate
from bot.model.pipeline_specs import Specs
from bot.model.registration import Target
from bot.model.values import Values
from bot.reconcile.decide import asks_to_skip, decide, decide_manual, due, would_be_undone_by
from tests.support.app_states import ALLOWED, APP, PRODUCTION, SPECS, STAGING, at, choose, config, plan


def test_a_second_tag_on_the_commit_that_runs_deploys_nothing() -> None:
    (first,) = choose([at("tags/v1")])
    (second,) = choose([at("tags/v2")])
    assert isinstance(first, Choice)
    assert isinstance(second, Choice)
    update = plan(first, SPECS)
    assert isinstance(update, Update)
    same = plan(second, SPECS, update.values, same_files=True)
    assert same == SameFiles(PRODUCTION, second.ref, f"nothing changed in the files since v1 ({'a' * 12})")


def test_what_a_repository_of_another_name_brought_is_deployed_anew() -> None:
    (choice,) = choose([at("heads/master")])
    assert isinstance(choice, Choice)
    first = plan(choice, SPECS)
    assert isinstance(first, Update)
    renamed = first.values.source.model_copy(update={"repository": "ann/old"})
    held = first.values.model_copy(update={"source": renamed})
    assert plan(choice, SPECS, held, same_files=True) == first


def test_the_same_files_are_not_deployed_again_unless_the_pipelines_are_others() -> None:
    (choice,) = choose([at("heads/master")])
    (later,) = choose([at("heads/master", "b")])
    assert isinstance(choice, Choice)
    assert isinstance(later, Choice)
    first = plan(choice, SPECS)
    assert isinstance(first, Update)
    same = plan(later, SPECS, first.values, same_files=True)
    assert isinstance(same, SameFiles)
    assert same == SameFiles(STAGING, later.ref, f"nothing changed in the files since master ({'a' * 12})")
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


def test_a_change_by_others_begins_a_hold_that_ends_with_it() -> None:
    ref, changed = at("heads/master"), ForeignChange("e" * 40, "ann", "no")
    state = state_of(ref)
    assert due(state, ImagePolicy("registry.example.org", "no registry")) == [STAGING]
    assert decided(replace(state, targets={STAGING: TargetState(None)}))[0] == decided(state)[0]
    reason = (
        f"ops repo commit {'e' * 12} of ann (no) changed what dppctl wrote; "
        "`dppctl release ann/app staging` takes dppctl's values again"
    )
    skip, begin = Skip(APP, "staging", ref.ref, f"held: {reason}"), BeginHold(STAGING, reason, "e" * 40, "ann")
    held, older = HoldState(reason, ops_commit="e" * 40), HoldState("older", ops_commit="d" * 40)
    for hold, decisions in (
        (None, [begin, skip]),
        (held, [skip]),
        (older, [begin, skip]),
        (HoldState("elections"), [Skip(APP, "staging", ref.ref, "held: elections")]),
        (HoldState("", "refs/heads/other", "tree"), [EndHold(STAGING), begin, skip]),
        (HoldState("", "refs/heads/master", "tree"), [begin, skip]),
    ):
        present = TargetState(None, hold=hold, changed=changed)
        assert decided(replace(state, targets={STAGING: present})) == decisions
    (update,) = decided(state)
    assert decided(state_of(ref, hold=held)) == [EndHold(STAGING), update]
    assert isinstance(update, Update)
    assert due(state_of(ref, present=update.values), ImagePolicy("registry.example.org", "no registry")) == []
    assert decided(state_of(ref, hold=held, present=update.values)) == [EndHold(STAGING), UpToDate(STAGING)]


def test_a_message_that_asks_for_it_keeps_an_update_back_but_nothing_that_runs() -> None:
    ref, message = at("heads/master"), "fix [skip deploy]"
    skip = Skip(APP, "staging", ref.ref, "its commit message says [skip deploy]")
    assert decided(state_of(ref, message=message)) == [skip]
    (update,) = decided(state_of(ref))
    assert isinstance(update, Update)
    assert decided(state_of(ref, present=update.values, message=message)) == [UpToDate(STAGING)]


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


@given(st.sampled_from("ab"), st.booleans(), st.booleans(), st.booleans())
def test_the_bot_never_undoes_what_a_person_chose_until_something_else_is_due(
    commit: str, runs_nothing: bool, is_held_back: bool, is_newer: bool
) -> None:
    """Whatever values an act writes: with the hold that it sets, if it needs one, nothing is written by itself."""
    ref, policy = at("heads/master"), ImagePolicy("registry.example.org", "no registry")
    state = state_of(ref)
    (choice,) = choose([ref])
    (due_now,) = decided(state)
    assert isinstance(choice, Choice)
    assert isinstance(due_now, Update)
    source = due_now.values.source
    values = due_now.values.model_copy(
        update={
            "source": source if commit == "a" else source.model_copy(update={"commit": "b" * 40}),
            "pipelines": () if runs_nothing else due_now.values.pipelines,
            "request": 7 if is_held_back else None,
        }
    )
    instead = would_be_undone_by(choice, values, state, policy)
    assert (instead is None) == (commit == "a" and not runs_nothing)
    hold = HoldState("an act", *instead) if instead else None
    present = TargetState(values, hold=hold)
    after = decided(replace(state, targets={STAGING: present}))
    assert not any(isinstance(decision, Update | EndHold) for decision in after)
    if hold and is_newer:
        newer = {name: replace(found, tree="another tree") for name, found in state.commits.items()}
        ended = decided(replace(state, targets={STAGING: present}, commits=newer))
        assert [type(decision) for decision in ended] == [EndHold, Update]
