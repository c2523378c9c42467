"""What the bot would say of a folder: what each push would do, and what is wrong. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, CommitState, TargetState
from bot.model.config_action import Action
from bot.model.decisions import Choice, Ref, Refusal
from bot.model.file_names import CONFIG_FILE
from bot.model.names import RepoPath
from bot.model.previews import PREVIEWS
from bot.model.registration import Target
from bot.model.values import Pipeline
from bot.reconcile.decide import not_registered, plan
from cli.check.folder import AppFolder

_COMMIT = "0" * 40  # of what is not pushed yet


@dataclass(frozen=True)
class Finding:
    """A line for people. problem: the bot would refuse it; note: it would do something else than may be meant."""

    kind: Literal["problem", "note", "fine"]
    text: str


def find(folder: AppFolder, registered: frozenset[Target] | None) -> list[Finding]:
    """Return what a push of the folder would do; `registered`: what apps.yaml says, None where that is not known."""
    found = [Finding("problem", problem) for problem in folder.problems]
    found += [
        Finding("note", f"{file}: not in git, so a push would not bring it; git add it") for file in folder.untracked
    ]
    if folder.specs is not None and not (folder.specs.pipelines or folder.specs.generated_by):
        found.append(Finding("problem", "no pipelines; put them into pipeline-spec.yaml"))
    elif folder.specs is not None:
        found.append(Finding("fine", f"pipelines: {_names(folder.specs.pipelines)}{_generated(folder)}"))
    if folder.config is None:
        if not any(problem.startswith(CONFIG_FILE) for problem in folder.problems):
            found.append(Finding("note", f"no {CONFIG_FILE}, so no push is deployed; dppctl init makes one"))
        return found
    return [*found, *_actions(folder, folder.config, registered)]


def _actions(folder: AppFolder, config: AppConfig, registered: frozenset[Target] | None) -> Iterator[Finding]:
    if not config.continuous_deployment:
        yield Finding("note", f"{CONFIG_FILE}: no continuousDeployment, so no push is deployed; dppctl init writes it")
        return
    named = [RepoPath.parse(entry.app_repo_path) for entry in config.continuous_deployment]
    apps = list(dict.fromkeys(app for app in named if _is_here(app, folder)))
    if not apps:
        here = f"{folder.repository or 'OWNER/REPO'}{'/' if folder.path else ''}{folder.path}"
        others = ", ".join(sorted({str(app) for app in named}))
        yield Finding("problem", f"{CONFIG_FILE}: appRepoPath is {others}, and this folder is {here}; write that")
    for app in apps:
        for ops, action in config.actions(app):
            yield _action(folder, config, Target(app, ops, action.environment or PREVIEWS), action, registered)


def _is_here(app: RepoPath, folder: AppFolder) -> bool:
    return app.path == folder.path and folder.repository in (None, app.repository)


def _action(
    folder: AppFolder, config: AppConfig, target: Target, action: Action, registered: frozenset[Target] | None
) -> Finding:
    what, ref = _trigger(action)
    if registered is not None and target not in registered:
        allowed = frozenset(found for found in registered if found.app == target.app)
        return Finding("problem", f"{what}: {not_registered(AppState(target.app, allowed, ()), target)} (apps.yaml)")
    if action.after and registered and not any(_is_at(found, target, action.after) for found in registered):
        why = f"{target.app} is not registered for {action.after}, so nothing runs well there (apps.yaml)"
        return Finding("problem", f"{what} waits for {action.after} in vain: {why}")
    if folder.specs is None:
        return Finding("note", f"{what} would be refused until the specs are right")
    commit = CommitState(config, folder.specs, "", "", folder.has_dockerfile)
    decision = plan(Choice(target, ref, action.pipeline), commit, TargetState(None))
    if isinstance(decision, Refusal):
        return Finding("problem", f"{what}: {decision.message}")
    chosen = [action.pipeline] if isinstance(action.pipeline, str) else action.pipeline
    where = action.environment or "a preview of its own"
    after = f", once its files have run well in {action.after}" if action.after else ""
    return Finding("fine", f"{what} deploys {', '.join(chosen)} to {where}, by {target.ops}{after}")


def _is_at(found: Target, target: Target, environment: str) -> bool:
    return (found.app, found.environment) == (target.app, environment)


def _trigger(action: Action) -> tuple[str, Ref]:
    """Return what triggers an action, in words, and a ref that would."""
    if action.branch is not None:
        return f"a push to {action.branch}", Ref(f"refs/heads/{action.branch}", _COMMIT)
    if action.branches is not None:
        return f"a push to a branch that matches {action.branches}", Ref("refs/heads/branch", _COMMIT)
    if isinstance(action.tags, str):
        return f"a tag {action.tags}", Ref(f"refs/tags/{action.tags}", _COMMIT)
    return "a tag", Ref("refs/tags/v1", _COMMIT)


def _names(pipelines: tuple[Pipeline, ...]) -> str:
    return ", ".join(pipeline.id + (f" ({pipeline.schedule})" if pipeline.schedule else "") for pipeline in pipelines)


def _generated(folder: AppFolder) -> str:
    if folder.specs is None or folder.specs.generated_by is None:
        return ""
    return f"{', and ' if folder.specs.pipelines else ''}those that {folder.specs.generated_by} makes"
