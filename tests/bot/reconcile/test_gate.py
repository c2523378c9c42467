"""`after:`: whether a ref may go on to an environment, decided from how its files ran in another one."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.images.decide import ImagePolicy
from bot.model.app_config import parse_app_config
from bot.model.app_state import AppState, CommitState, HoldState, TargetState, TreeRun
from bot.model.decisions import Decision, GateWait, Refusal, Skip, Update
from bot.model.registration import Target
from bot.reconcile.decide import choose, choose_named, decide, decide_manual
from bot.store.tables import ENDED
from tests.support.app_states import ALLOWED, APP, PRODUCTION, SPECS, STAGING, at, config

GATED = config(
    {"branch": "master", "environment": "staging"}, {"tags": True, "environment": "production", "after": "staging"}
)
STATES = ("building", "waiting", "running", "succeeded", "failed", "refused", "superseded", "cancelled", "skipped")


def runs(*states: str) -> list[TreeRun]:
    """Return deployments of the same files with these states, the newest first."""
    return [TreeRun(number, state, state in ENDED) for number, state in zip(range(50, 0, -1), states, strict=False)]


def app_state(
    ran: Sequence[TreeRun] = (),
    *,
    trees: Mapping[str, str] = {"a": "tree", "b": "tree"},
    held: Mapping[str, str] = {},
    hold: HoldState | None = None,
    allowed: frozenset[Target] = ALLOWED,
) -> AppState:
    """Make an app with master at commit a and tag v1 at b; of them only production is written here."""
    refs = (at("heads/master", "a", says=GATED), at("tags/v1", "b", says=GATED))
    commits = {
        name * 40: CommitState(GATED, SPECS, tree, "Add zones\n\nmore", has_dockerfile=False, author="Ann")
        for name, tree in trees.items()
    }
    targets = {PRODUCTION: TargetState(None, hold=hold)}
    return AppState(APP, allowed, refs, targets=targets, commits=commits, ran={("staging", trees["b"]): ran}, held=held)


def decided(state: AppState) -> Decision:
    (decision,) = decide(state, ImagePolicy("registry.example.org", "no registry"))
    return decision


def message(state: AppState) -> str:
    decision = decided(state)
    assert isinstance(decision, GateWait)
    assert (decision.gate, decision.target, decision.facts.subject) == ("staging", PRODUCTION, "Add zones")
    return decision.message


def test_files_that_ran_well_there_go_on_whatever_commit_had_them() -> None:
    decision = decided(app_state(runs("succeeded")))
    assert isinstance(decision, Update)
    assert decision.note == "its files ran well in staging (deployment 50)"
    assert isinstance(decided(app_state(runs("superseded", "succeeded", "failed"))), Update)


def test_files_that_have_not_run_there_yet_wait() -> None:
    assert message(app_state()) == "waits for staging"
    for state in ("building", "waiting", "running"):
        assert message(app_state(runs(state))) == "waits for staging"
    assert message(app_state(runs("running", "failed"))) == "waits for staging"  # it is tried again


def test_files_that_failed_there_are_refused() -> None:
    for states in (["failed"], ["failed", "succeeded"], ["cancelled", "failed"]):
        decision = decided(app_state(runs(*states)))
        assert isinstance(decision, Refusal)
        assert decision.environment == "production"
        assert decision.message.startswith("these files failed in staging (deployment ")


def test_what_has_to_be_done_by_somebody_is_said() -> None:
    others = app_state(trees={"a": "other", "b": "tree"})
    by_hand = "`dppctl deploy ann/app staging --ref v1` runs them there"
    has_others = "as master (aaaaaaaaaaaa) has others; push them there, or"
    assert message(others) == f"waits for staging, where these files have not run, {has_others} {by_hand}"
    held = "waits for staging, which is held: elections; `dppctl release ann/app staging` ends that"
    assert message(app_state(held={"staging": "elections"})) == held
    assert (
        message(app_state(runs("cancelled"))) == "waits for staging, where these files were cancelled (deployment 50)"
    )


def test_an_environment_that_is_not_registered_is_no_gate() -> None:
    decisions = decide(app_state(allowed=frozenset({PRODUCTION})), ImagePolicy("registry.example.org", "no registry"))
    (decision,) = [found for found in decisions if isinstance(found, Refusal) and found.environment == "production"]
    assert ".dppctl.yaml has after: staging, and ann/app is not registered for staging" in decision.message


def test_a_hold_comes_first() -> None:
    assert isinstance(decided(app_state(runs("succeeded"), hold=HoldState("elections"))), Skip)
    assert isinstance(decided(app_state(hold=HoldState("elections"))), Skip)


def test_by_hand_nothing_waits_and_that_is_said() -> None:
    for ran, note in (
        (runs("failed"), "by hand it does not wait for staging, where these files have not run well"),
        (runs("succeeded"), ""),
    ):
        state = app_state(ran)
        update = decide_manual(choose_named(PRODUCTION, state.refs[1]), state, 7)
        assert isinstance(update, Update)
        assert update.note == note


@given(st.lists(st.sampled_from(STATES), max_size=6))
def test_only_what_ran_well_goes_on_and_only_what_failed_is_refused(states: list[str]) -> None:
    decision = decided(app_state(runs(*states)))
    ended = [state for state in states if state in ("succeeded", "failed")]
    if isinstance(decision, Update):
        assert ended[0] == "succeeded"
    elif isinstance(decision, Refusal):
        assert ended[0] == "failed"
    else:
        assert isinstance(decision, GateWait)
        assert not ended or not set(states[: states.index(ended[0])]) <= ENDED


def test_the_choice_is_the_same_with_a_gate_and_without() -> None:
    chosen = {outcome.target for outcome in choose(app_state()) if not isinstance(outcome, Refusal)}
    assert chosen == {STAGING, PRODUCTION}


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([("branch: a", "staging", ""), ("tags: true", "live", "stagin")], ":8: no action deploys ann/app to stagin"),
        ([("branch: a", "a", "b"), ("branch: b", "b", "a")], ":6: a after b after a: each waits for the other"),
        ([("branch: a", "a", "b"), ("branch: b", "b", "c"), ("tags: true", "c", "a")], ":6: a after b after c after a"),
        ([("branch: a", "a", "a")], "own environment"),
    ],
)  # fmt: skip
def test_what_can_never_be_passed_is_refused_with_its_line(actions: list[tuple[str, str, str]], says: str) -> None:
    text = "continuousDeployment:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  actions:\n"
    for trigger, environment, after in actions:
        text += f"  - {{{trigger}, environment: {environment},\n     after: {after}}}\n" if after else (
            f"  - {{{trigger},\n     environment: {environment}}}\n"
        )  # fmt: skip
    with pytest.raises(DppctlError) as refused:
        parse_app_config(text, ".dppctl.yaml")
    assert says in str(refused.value)


def test_a_chain_is_fine_and_one_across_ops_repos_too() -> None:
    text = """
continuousDeployment:
- appRepoPath: ann/app
  opsRepoPath: ann/ops
  actions: [{branch: a, environment: a}, {tags: "v*", environment: b, after: a}]
- appRepoPath: ann/app
  opsRepoPath: ann/other
  actions: [{tags: "v*", environment: c, after: b}]
"""
    assert len(list(parse_app_config(text, ".dppctl.yaml").actions(APP))) == 3
