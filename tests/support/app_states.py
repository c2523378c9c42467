"""Apps as a look finds them, in few words, for the tests of the decision."""

from collections.abc import Sequence

from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, CommitState, RefState, TargetState
from bot.model.decisions import Choice, Ref, Refusal, SameFiles, Update
from bot.model.names import RepoPath
from bot.model.pipeline_specs import Specs
from bot.model.registration import Target
from bot.model.values import Pipeline, Values
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
) -> Update | Refusal | SameFiles | None:
    """Decide on one choice alone; `same_files`: as those that the environment runs."""
    commit = CommitState(USUAL, specs, "tree", "message", has_dockerfile=False)
    target = TargetState(present, "tree" if same_files else "another tree")
    return plan_of(choice, commit, target)
