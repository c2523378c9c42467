"""Read the world once: what an app's repository says now, and what its environments hold, as one plain `AppState`."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from itertools import starmap

from bot.errors import DppctlError, TransientError
from bot.git.reader import GitReader
from bot.limits import MAX_CONFIG_BYTES, MAX_CONFIGS_BYTES, MAX_SPEC_BYTES, MAX_SPECS_BYTES
from bot.model.app_config import AppConfig, Build
from bot.model.app_state import AppState, CommitState, HoldState, RefState, TargetState, TreeRun
from bot.model.decisions import Choice, Ref
from bot.model.file_names import CONFIG_FILE
from bot.model.names import RepoPath
from bot.model.pipeline_specs import Specs
from bot.model.previews import PREVIEWS, PreviewRules
from bot.model.registration import Target
from bot.model.spec_files import is_spec
from bot.model.values import Values
from bot.parsing.parser import Parser
from bot.reconcile.compared_data import observe_data
from bot.reconcile.decide import choose, choose_named
from bot.store.store import Store
from bot.store.tables import Hold

_parser = Parser()
Config = AppConfig | str | None  # `.dppctl.yaml` at a commit, why it is refused, or None without one


def observe(
    app: RepoPath,
    repository: GitReader,
    allowed: frozenset[Target],
    texts: Mapping[Target, str | None],
    holds: Iterable[Hold],
    store: Store,
    lost: Set[str] = frozenset(),
    verify: Callable[[Iterable[Ref]], Mapping[Ref, str]] = lambda _: {},
    previews: PreviewRules | None = None,
) -> AppState:
    """Read the state of an app whose repository is refreshed, and open.

    `texts` has the values files of its environments, as far as their ops repos could be read, and `preview-*` where it
    is registered; `holds`: its own; `lost`: commits of theirs that are gone; `verify` returns why refs are not trusted.
    Raises GitError when git fails: then nothing is known.
    """
    refs, baseline = _refs(app, repository, store, allowed)
    holds = list(holds)
    state = AppState(app, allowed, refs, baseline, _targets(app, repository, texts, holds, lost), previews=previews)
    texts = {**texts, **dict.fromkeys(_new_previews(state, texts))}
    state = replace(state, targets=_targets(app, repository, texts, holds, lost))
    choices = [choice for choice in choose(state) if isinstance(choice, Choice) and choice.target in texts]
    chosen = [choice.ref for choice in choices]
    commits = _commits(app, repository, refs, chosen)
    expect = [found for choice in choices for found in choice.expect]
    return replace(
        state,
        commits=commits,
        left_out=repository.left_out(),
        untrusted=verify(chosen),
        data=observe_data(app, expect, store),
        ran=_ran(app, commits, store),
        held={hold.environment: hold.reason for hold in holds if hold.app == str(app)},
    )


def observe_manual(
    target: Target,
    repository: GitReader,
    allowed: frozenset[Target],
    text: str | None,
    store: Store,
    name: str | Ref | None,
    verify: Callable[[Iterable[Ref]], Mapping[Ref, str]] = lambda _: {},
    previews: PreviewRules | None = None,
) -> tuple[AppState, RefState | None]:
    """Read the same for a deployment by hand, and with it the ref that a person calls `name` (None: no name).

    A Ref that is not at its commit any more counts as that commit.
    Raises DppctlError when there is no such branch, tag or commit, or two; GitError when git fails.
    """
    app = target.app
    refs, baseline = _refs(app, repository, store, allowed)
    targets = _targets(app, repository, {target: text}, store.holds.all())
    state = AppState(app, allowed, refs, baseline, targets, previews=previews)
    named = None
    if name:
        at = [found.ref for found in refs if found.ref == name]
        ref = at[0] if at else repository.resolve(name.commit if isinstance(name, Ref) else name)
        named = RefState(ref, 0, _configs(app, repository, [ref.commit])[ref.commit])
    outcomes = [*choose(state), *choose(state, with_baseline=True), *([choose_named(target, named)] if named else [])]
    choices = [choice for choice in outcomes if isinstance(choice, Choice) and choice.target == target]
    wanted = [choice.ref for choice in choices]
    known = (*refs, named) if named else refs
    data = observe_data(app, [found for choice in choices for found in choice.expect], store)
    commits = _commits(app, repository, known, wanted)
    ran = _ran(app, commits, store)
    return replace(state, commits=commits, untrusted=verify(wanted), data=data, ran=ran), named


def read_values(target: Target, text: str | None) -> Values | None:
    """Return what a values file says; None without one, or when it is not as the bot writes it."""
    try:
        return None if text is None else Values.from_yaml(text, target.values_file)
    except DppctlError:
        return None


def _new_previews(state: AppState, texts: Mapping[Target, str | None]) -> list[Target]:
    """Return the previews that branches ask for and an ops repo, which could be read, does not have yet."""
    found = [choice.target for choice in choose(state) if isinstance(choice, Choice) and choice.target.is_preview]
    return [target for target in found if target not in texts and target.with_environment(PREVIEWS) in texts]


def _refs(
    app: RepoPath, repository: GitReader, store: Store, allowed: frozenset[Target]
) -> tuple[tuple[RefState, ...], frozenset[Ref]]:
    """Return the branches and tags with the app's configuration at each, and the app's baseline."""
    created = repository.refs()
    pushed = dict[str, datetime]()
    if any(target.is_pattern and target.app.repository == app.repository for target in allowed):
        branches = {ref: time for ref, time in created.items() if ref.name.startswith("refs/heads/")}
        pushed = store.previews.see(app.repository, {ref.name: (ref.commit, _time(branches[ref])) for ref in branches})
    tags = {ref.name: ref.commit for ref in created if ref.name.startswith("refs/tags/")} | repository.old_tags()
    appeared = store.tags.see(app.repository, tags)
    baseline = store.tags.baseline(str(app), tags)
    newest_first = sorted(created, key=lambda ref: created[ref], reverse=True)
    configs = _configs(app, repository, dict.fromkeys(ref.commit for ref in newest_first))
    states = (
        RefState(ref, time, configs[ref.commit], appeared.get(ref.name), pushed.get(ref.name))
        for ref, time in created.items()
    )
    return tuple(states), frozenset(starmap(Ref, baseline.items()))


def _targets(
    app: RepoPath,
    repository: GitReader,
    texts: Mapping[Target, str | None],
    holds: Iterable[Hold],
    lost: Set[str] = frozenset(),
) -> dict[Target, TargetState]:
    values = {target: read_values(target, text) for target, text in texts.items() if not target.is_pattern}
    commits = {held.source.commit for held in values.values() if held}
    trees = repository.trees(commits, app.path) if commits else {}
    held_by = {
        (hold.app, hold.environment): HoldState(hold.reason, hold.until_ref, hold.until_tree, hold.ops_commit)
        for hold in holds
    }
    found = {}
    for target, held in values.items():
        is_lost = held is not None and held.source.commit in lost
        tree = (trees[held.source.commit] or "") if held and not is_lost else ""
        is_written = texts[target] is not None
        hold = held_by.get((str(app), target.environment))
        found[target] = TargetState(held, tree, hold, is_lost, is_written=is_written)
    return found


def _commits(
    app: RepoPath, repository: GitReader, refs: Iterable[RefState], chosen: Iterable[Ref]
) -> dict[str, CommitState]:
    """Return the app at the commits of the chosen refs, whose `.dppctl.yaml` is not refused."""
    configs = {state.ref.commit: state.config for state in refs}
    commits = {ref.commit for ref in chosen}
    trees = repository.trees(commits, app.path) if commits else {}
    found = {}
    for commit in sorted(commits):
        config = configs[commit]
        assert not isinstance(config, str)  # noqa: S101 (only what is not refused is chosen)
        config = config or AppConfig()
        dockerfile = app.file((config.build or Build()).dockerfile)
        entry = repository.entries(commit, [dockerfile])[dockerfile]
        has_dockerfile = entry is not None and entry[0] == "blob"
        specs = _specs(app, repository, commit)
        found[commit] = CommitState(
            config,
            specs,
            trees[commit] or "",
            repository.message(commit),
            has_dockerfile,
            repository.author(commit),
        )
    return found


def _time(seconds: int) -> datetime:
    """Return a commit's date, which may be anything."""
    return datetime.fromtimestamp(max(0, min(seconds, 2**36)), UTC)


def _ran(app: RepoPath, commits: Mapping[str, CommitState], store: Store) -> dict[tuple[str, str], Sequence[TreeRun]]:
    """Return how deployments of these files went in the environments that actions of theirs wait for."""
    wanted = {
        (action.after, commit.tree)
        for commit in commits.values()
        if commit.tree
        for _, action in commit.config.actions(app)
        if action.after
    }
    return {(gate, tree): store.gates.runs(str(app), gate, tree) for gate, tree in sorted(wanted)}


def _specs(app: RepoPath, repository: GitReader, commit: str) -> Specs | str:
    try:
        files = repository.read_below(commit, app.path, is_spec, MAX_SPEC_BYTES, MAX_SPECS_BYTES)
        return _parser.read_specs(files)
    except TransientError:
        raise
    except DppctlError as error:
        return str(error)


def _configs(app: RepoPath, repository: GitReader, commits: Iterable[str]) -> dict[str, Config]:
    """Return each commit's `.dppctl.yaml`, parsed once for commits with the same content."""
    file = app.file(CONFIG_FILE)
    versions, contents = repository.versions(commits, file, MAX_CONFIG_BYTES, MAX_CONFIGS_BYTES)
    parsed = {identity: _parse(content, file) for identity, content in contents.items()}
    found: dict[str, Config] = {
        commit: parsed[version] if isinstance(version, str) else None if version is None else str(version)
        for commit, version in versions.items()
    }
    odd = [commit for commit, config in found.items() if isinstance(config, str) or (config is None and app.path)]
    links = {commit: link for commit in odd if (link := repository.link(commit, file))}
    return found | {commit: _refuse_link(file, link) for commit, link in links.items()}


def _refuse_link(file: str, link: str) -> str:
    """Return why a `.dppctl.yaml` is refused that is a symbolic link, or lies in a folder that is."""
    if link == file:
        return f"{file} is a symbolic link, which is not followed; put the file itself there"
    return f"{file}: {link} is a symbolic link, which is not followed; appRepoPath is to name the folder it leads to"


def _parse(content: bytes, where: str) -> AppConfig | str:
    try:
        return _parser.read_config(content, where)
    except TransientError:
        raise
    except DppctlError as error:
        return str(error)
