"""Which acts are possible, and what they would change; by all that may have happened to an environment."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.acts import (
    ActRefusedError,
    EnvironmentFacts,
    HoldFacts,
    PastDeployment,
    WantedAct,
    plan_act,
    possible_acts,
    possible_on,
)

HELD = HoldFacts("elections", datetime(2026, 11, 26, 9, tzinfo=UTC), by="ann")
HELD_BY_BOT = HoldFacts("v1 was deployed by hand", datetime(2026, 11, 26, 9, tzinfo=UTC), is_by_person=False)


def past(number: int, state: str = "succeeded", *, kept: bool = True, origin: int | None = None) -> PastDeployment:
    return PastDeployment(number, f"refs/tags/v{number}", str(number) * 40, state, kept=kept, origin=origin)


def facts(
    *deployments: PastDeployment, name: str = "staging", hold: HoldFacts | None = None, is_missing: bool = False
) -> EnvironmentFacts:
    newest_first = tuple(sorted(deployments, key=lambda found: -found.id))
    return EnvironmentFacts("ann/app", name, newest_first, hold, is_missing)


def plan(wanted: WantedAct, *environments: EnvironmentFacts) -> tuple[int | None, int | None]:
    """Return the numbers of the deployments before and after an act."""
    found = plan_act(wanted, {environment.environment: environment for environment in environments})
    return found.before.id if found.before else None, found.after.id if found.after else None


def test_a_rollback_goes_to_what_ran_before_and_once_more_a_step_further() -> None:
    rollback = WantedAct("rollback", "staging")
    assert plan(rollback, facts(past(1), past(2), past(3, "failed"), past(4))) == (4, 2)
    assert plan(rollback, facts(past(1), past(2), past(4), past(5, origin=2))) == (5, 1)
    assert plan(WantedAct("rollback", "staging", to=4), facts(past(1), past(4), past(5, origin=1))) == (5, 4)
    assert plan(WantedAct("rollback", "staging", to=1, run=True), facts(past(1, kept=False), past(2))) == (2, 1)


def test_a_plan_says_in_a_line_what_would_change() -> None:
    found = plan_act(WantedAct("rollback", "staging"), {"staging": facts(past(1), past(2))})
    assert found.change == f"staging of ann/app: v2 ({'2' * 12}), deployment 2 -> v1 ({'1' * 12}), deployment 1"
    assert not found.runs
    assert plan_act(WantedAct("hold", "staging"), {"staging": facts()}).change == "staging of ann/app: nothing"


def test_promote_brings_what_runs_elsewhere() -> None:
    production = facts(past(1), name="production")
    promote = WantedAct("promote", "production", source="staging")
    assert plan(promote, production, facts(past(2), past(3, "running"))) == (1, 2)
    shown = replace(promote, to=2)  # something newer runs there by the time that the bot takes it
    assert plan(shown, production, facts(past(2), past(3))) == (1, 2)


def test_what_a_preview_has_is_promoted_by_name_alone_and_nothing_is_promoted_to_one() -> None:
    found = {name: facts(past(1), name=name) for name in ("preview-x", "production", "staging")}
    offered = {
        name: [plan.wanted.source for plan in possible_acts(name, found) if plan.wanted.source] for name in found
    }
    assert offered == {"preview-x": [], "production": ["staging"], "staging": ["production"]}
    assert plan(WantedAct("promote", "production", source="preview-x"), *found.values()) == (1, 1)
    with pytest.raises(ActRefusedError, match="preview-x of ann/app has what its branch has"):
        plan_act(WantedAct("promote", "preview-x", source="staging"), found)
    gone = found | {"preview-x": replace(found["preview-x"], is_missing=True)}
    with pytest.raises(ActRefusedError, match="preview-x of ann/app: no branch that is there asks for this preview"):
        plan_act(WantedAct("promote", "production", source="preview-x"), gone)


@pytest.mark.parametrize(
    ("wanted", "environment", "said"),
    [
        (WantedAct("rollback", "live"), facts(), "there is no environment live of this app; known: staging"),
        (WantedAct("rollback", "staging"), facts(), "nothing has run there yet"),
        (WantedAct("rollback", "staging"), facts(past(1)), "there is nothing to go back to"),
        (WantedAct("rollback", "staging", to=9), facts(past(1)), "has no deployment 9; its newest: 1"),
        (WantedAct("rollback", "staging", to=1), facts(past(1)), "is what runs there already"),
        (WantedAct("rollback", "staging", to=1), facts(past(1, "failed"), past(2)), "deployment 1 is failed"),
        (WantedAct("rollback", "staging"), facts(past(1, kept=False), past(2)), "staging --to 1 --run` runs it again"),
        (WantedAct("promote", "staging", source="staging"), facts(past(1)), "cannot be promoted to itself"),
        (WantedAct("promote", "staging", source="live"), facts(past(1)), "there is no environment live"),
        (WantedAct("hold", "preview-x"), facts(name="preview-x", is_missing=True), "no branch that is there asks for"),
        (WantedAct("hold", "staging"), facts(hold=HELD), "held already by ann, since 2026-11-26 09:00 UTC: elections"),
        (WantedAct("release", "staging"), facts(), "staging of ann/app is not held"),
        (WantedAct("cancel", "staging", deployment=1), facts(past(1)), "deployment 1 has ended already: succeeded"),
        (WantedAct("retry", "staging", deployment=1), facts(past(1, "running")), "`dppctl cancel 1` ends it first"),
        (WantedAct("retry", "staging", deployment=1), facts(past(1)), "deployment 1 is succeeded, not failed"),
    ],
)
def test_what_is_not_possible_is_refused_with_a_line(
    wanted: WantedAct, environment: EnvironmentFacts, said: str
) -> None:
    with pytest.raises(ActRefusedError) as refused:
        plan_act(wanted, {environment.environment: environment})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_hold_by_the_bot_may_become_a_persons() -> None:
    assert plan(WantedAct("hold", "staging"), facts(past(1), hold=HELD_BY_BOT)) == (1, 1)


STATES = st.sampled_from(
    ["building", "waiting", "running", "succeeded", "failed", "superseded", "cancelled", "refused"]
)


@st.composite
def environments(draw: st.DrawFn) -> dict[str, EnvironmentFacts]:
    found = {}
    for name in ("production", "staging"):
        states = draw(st.lists(STATES, max_size=5))
        rows = [past(number, state, kept=draw(st.booleans())) for number, state in enumerate(states, 1)]
        found[name] = facts(*rows, name=name, hold=draw(st.sampled_from([None, HELD, HELD_BY_BOT])))
    return found


@given(environments())
def test_what_is_offered_can_be_planned_and_changes_what_it_says(found: dict[str, EnvironmentFacts]) -> None:
    for name, environment in found.items():
        plans = possible_acts(name, found)
        for deployment in environment.deployments:
            plans += possible_on(name, deployment.id, found)
        for offered in plans:
            assert plan_act(offered.wanted, found) == offered
            if offered.wanted.act == "rollback":
                assert offered.after
                assert offered.after != environment.running
                assert offered.runs or offered.after.kept
            if offered.wanted.act == "cancel":
                assert offered.after is None or offered.after.state == "succeeded"
