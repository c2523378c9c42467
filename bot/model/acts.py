"""What people do to environments: which acts are possible now, and what each of them would change. Pure.

The bot goes by it when it does an act, and the command line and the pages when they ask whether it is meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from bot.errors import PermanentError
from bot.model.names import short
from bot.model.previews import is_preview
from bot.near_names import name_hint

Act = Literal["deploy", "rollback", "promote", "hold", "release", "cancel", "retry"]
ACTS: tuple[Act, ...] = get_args(Act)
PAST: Mapping[str, str] = {
    "deploy": "deployed by hand",
    "rollback": "rolled back",
    "promote": "promoted",
    "hold": "held",
    "release": "released",
    "cancel": "cancelled",
    "retry": "tried again",
}
_OPEN = ("building", "waiting", "running")
_TO_RETRY = ("failed", "cancelled", "superseded")


class ActRefusedError(PermanentError):
    """An act is not possible now; the message says why, and what is."""


@dataclass(frozen=True)
class PastDeployment:
    """What acts need to know of a deployment.

    has_values: the ops repo had it; kept: what it brought is still there, so that going back to it runs nothing;
    origin: the deployment whose values it has, when it went back to one.
    """

    id: int
    ref: str
    commit: str
    state: str
    has_values: bool = True
    kept: bool = False
    origin: int | None = None

    def __str__(self) -> str:
        """Return `v1 (8a3f5c21d0aa), deployment 3`."""
        return f"{short(self.ref)} ({self.commit[:12]}), deployment {self.id}"


@dataclass(frozen=True)
class HoldFacts:
    """Why, since when, until when (None: until it is released) and by whom ("": nobody) an environment is held.

    is_by_person: somebody asked for it; otherwise the bot holds it for something, and ends it when that is over.
    """

    reason: str
    since: datetime
    by: str = ""
    until: datetime | None = None
    is_by_person: bool = True


@dataclass(frozen=True)
class EnvironmentFacts:
    """What acts need to know of one environment of an app; its deployments are the newest ones, newest first.

    is_missing: it is a preview, and no branch has it, or none has it any more.
    """

    app: str
    environment: str
    deployments: tuple[PastDeployment, ...] = ()
    hold: HoldFacts | None = None
    is_missing: bool = False

    @property
    def running(self) -> PastDeployment | None:
        """Return what runs there: the newest that succeeded."""
        return next((found for found in self.deployments if found.state == "succeeded"), None)

    def find(self, identity: int) -> PastDeployment:
        """Return the deployment of this number. Raises ActRefusedError without one."""
        for found in self.deployments:
            if found.id == identity:
                return found
        known = ", ".join(str(found.id) for found in self.deployments[:5]) or "none"
        raise ActRefusedError(f"{self.environment} of {self.app} has no deployment {identity}; its newest: {known}")


@dataclass(frozen=True)
class WantedAct:
    """An act that somebody asks for, or may ask for.

    source: the environment that is promoted; to: the deployment to go back to (None: what ran before), or the one of
    the source to promote (None: what runs there); deployment: the one that is cancelled or tried again; run: what is
    gone back to runs anew.
    """

    act: Act
    environment: str
    source: str | None = None
    to: int | None = None
    deployment: int | None = None
    run: bool = False


@dataclass(frozen=True)
class ActPlan:
    """What an act would do: the environment's deployment before and after it (None: nothing runs there).

    runs: pipelines would run; otherwise nothing does. Of hold and release both deployments are the same.
    """

    wanted: WantedAct
    app: str
    before: PastDeployment | None
    after: PastDeployment | None
    runs: bool
    effect: str  # a sentence for people: what it does besides, and until when

    @property
    def change(self) -> str:
        """Return the change in a line: `production of ann/app: v2 (…), deployment 7 -> v1 (…), deployment 3`."""
        before, after = (str(found) if found else "nothing" for found in (self.before, self.after))
        what = before if self.before == self.after else f"{before} -> {after}"
        return f"{self.wanted.environment} of {self.app}: {what}"


def plan_act(wanted: WantedAct, environments: Mapping[str, EnvironmentFacts]) -> ActPlan:
    """Plan an act; `environments` of the app, by name, as far as they are known.

    Raises ActRefusedError when it is not possible now. That an environment is not registered is for the bot to say.
    """
    if (facts := environments.get(wanted.environment)) is None:
        meant = name_hint(wanted.environment, environments)
        raise ActRefusedError(f"there is no environment {wanted.environment} of this app; {meant}")
    if facts.is_missing and wanted.act != "deploy":  # the bot may not have seen the branch yet
        raise ActRefusedError(_missing(facts))
    match wanted.act:
        case "rollback":
            return _plan_rollback(wanted, facts)
        case "promote":
            return _plan_promote(wanted, facts, environments)
        case "hold":
            return _plan_hold(wanted, facts)
        case "release":
            return _plan_release(wanted, facts)
        case "cancel":
            return _plan_cancel(wanted, facts)
        case "retry":
            return _plan_retry(wanted, facts)
    return _plan(wanted, facts, facts.running, runs=True, effect="what .dppctl.yaml says runs now, whatever ran before")


def possible_acts(environment: str, environments: Mapping[str, EnvironmentFacts]) -> list[ActPlan]:
    """Return the plans of what can be done to an environment now, in the order of ACTS; promote from each other one.

    Not from previews: of an app that has many, most pages would say little else.
    """
    sources = [name for name in sorted(environments) if name != environment and not is_preview(name)]
    wanted = [WantedAct("rollback", environment)]
    wanted += [WantedAct("promote", environment, source=name) for name in sources]
    wanted += [WantedAct("hold", environment), WantedAct("release", environment)]
    return [plan for found in wanted if (plan := _possible(found, environments))]


def possible_on(environment: str, deployment: int, environments: Mapping[str, EnvironmentFacts]) -> list[ActPlan]:
    """Return the plans of what can be done with one deployment now: go back to it, cancel it, try it again."""
    wanted = [
        WantedAct("rollback", environment, to=deployment),
        WantedAct("cancel", environment, deployment=deployment),
        WantedAct("retry", environment, deployment=deployment),
    ]
    plans = [_possible(found, environments) for found in wanted]
    if plans[0] is None and (
        again := _possible(WantedAct("rollback", environment, to=deployment, run=True), environments)
    ):
        plans[0] = again
    return [plan for plan in plans if plan]


def before_of(deployment: PastDeployment, facts: EnvironmentFacts) -> PastDeployment | None:
    """Return what ran when a deployment began: the newest older one that succeeded."""
    older = (found for found in facts.deployments if found.id < deployment.id and found.state == "succeeded")
    return next(older, None)


def _possible(wanted: WantedAct, environments: Mapping[str, EnvironmentFacts]) -> ActPlan | None:
    try:
        return plan_act(wanted, environments)
    except ActRefusedError:
        return None


def _plan_rollback(wanted: WantedAct, facts: EnvironmentFacts) -> ActPlan:
    running, where = facts.running, f"{facts.environment} of {facts.app}"
    if wanted.to is None:
        if running is None:
            raise ActRefusedError(f"{where}: nothing has run there yet, so there is nothing to go back to")
        origin = running.origin or running.id  # who goes back twice goes back two steps
        after = next(
            (
                found
                for found in facts.deployments
                if found.id < origin and found.state == "succeeded" and found.has_values and found.origin is None
            ),
            None,
        )
        if after is None:
            raise ActRefusedError(f"{where}: there is nothing to go back to, {running} is the first that ran there")
    else:
        after = facts.find(wanted.to)
        if after.state != "succeeded" or not after.has_values:
            raise ActRefusedError(
                f"{where}: deployment {after.id} is {after.state}; only what succeeded is gone back to"
            )
        if running and after.id in (running.id, running.origin):
            raise ActRefusedError(f"{where}: {after} is what runs there already")
    if not after.kept and not wanted.run:
        command = f"dppctl rollback {facts.app} {facts.environment} --to {after.id} --run"
        raise ActRefusedError(
            f"{where}: the data that deployment {after.id} left is not kept any more; `{command}` runs it again"
        )
    how = "its pipelines run again" if wanted.run else "nothing runs, its data is as it was then"
    return _plan(
        wanted, facts, after, runs=wanted.run, effect=f"{how}; held until something new is pushed, or released"
    )


def _plan_promote(wanted: WantedAct, facts: EnvironmentFacts, known: Mapping[str, EnvironmentFacts]) -> ActPlan:
    source = known.get(asked := wanted.source or "")
    if wanted.source == wanted.environment:
        raise ActRefusedError(f"{wanted.environment} cannot be promoted to itself; name two environments")
    if source is None:
        raise ActRefusedError(f"there is no environment {asked} of {facts.app}; {name_hint(asked, known)}")
    if source.is_missing:
        raise ActRefusedError(_missing(source))
    if is_preview(facts.environment):
        raise ActRefusedError(
            f"{facts.environment} of {facts.app} has what its branch has, so nothing is promoted to it; "
            "push to the branch"
        )
    after = source.find(wanted.to) if wanted.to else source.running
    if after is None or after.state != "succeeded" or not after.has_values:
        raise ActRefusedError(f"{source.environment} of {source.app}: nothing has run there yet that could be promoted")
    effect = f"what runs in {source.environment}, the same commit and image, runs in {facts.environment}"
    return _plan(wanted, facts, after, runs=True, effect=effect)


def _missing(facts: EnvironmentFacts) -> str:
    return f"{facts.environment} of {facts.app}: no branch that is there asks for this preview"


def _plan_hold(wanted: WantedAct, facts: EnvironmentFacts) -> ActPlan:
    if facts.hold and facts.hold.is_by_person:
        by = f" by {facts.hold.by}" if facts.hold.by else ""
        raise ActRefusedError(
            f"{facts.environment} of {facts.app} is held already{by}, since {facts.hold.since:%Y-%m-%d %H:%M} UTC: "
            f"{facts.hold.reason}; `dppctl release {facts.app} {facts.environment}` ends that"
        )
    return _plan(wanted, facts, facts.running, runs=False, effect="nothing is deployed there by itself until released")


def _plan_release(wanted: WantedAct, facts: EnvironmentFacts) -> ActPlan:
    if facts.hold is None:
        raise ActRefusedError(f"{facts.environment} of {facts.app} is not held")
    effect = f"what .dppctl.yaml says is deployed there again; it was held: {facts.hold.reason}"
    return _plan(wanted, facts, facts.running, runs=True, effect=effect)


def _plan_cancel(wanted: WantedAct, facts: EnvironmentFacts) -> ActPlan:
    found = facts.find(wanted.deployment or 0)
    if found.state not in _OPEN:
        raise ActRefusedError(f"deployment {found.id} has ended already: {found.state}")
    after = before_of(found, facts)
    effect = "what of it runs is stopped; it does not start again by itself until something new is pushed"
    return ActPlan(wanted, facts.app, found, after, runs=False, effect=effect)


def _plan_retry(wanted: WantedAct, facts: EnvironmentFacts) -> ActPlan:
    found = facts.find(wanted.deployment or 0)
    if found.state in _OPEN:
        raise ActRefusedError(f"deployment {found.id} is {found.state}; `dppctl cancel {found.id}` ends it first")
    if found.state not in _TO_RETRY:
        by_hand = f"dppctl deploy {facts.app} {facts.environment} --ref {short(found.ref)}"
        raise ActRefusedError(f"deployment {found.id} is {found.state}, not failed; `{by_hand}` deploys it anew")
    return _plan(wanted, facts, found, runs=True, effect="the same commit runs once more")


def _plan(
    wanted: WantedAct, facts: EnvironmentFacts, after: PastDeployment | None, *, runs: bool, effect: str
) -> ActPlan:
    return ActPlan(wanted, facts.app, facts.running, after, runs=runs, effect=effect)
