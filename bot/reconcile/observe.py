"""One look at an app: what its repository says now, and what each of its environments should run therefore."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from bot.errors import DppctlError
from bot.git.command import GitError
from bot.git.mirror import Mirror
from bot.limits import MAX_CONFIG_BYTES, MAX_SPEC_BYTES
from bot.model.app_config import CONFIG_FILE, Action, AppConfig, parse_app_config
from bot.model.decisions import Choice, Ref, RefState, Refusal, Same, Update
from bot.model.names import RepoPath
from bot.model.pipeline_specs import is_spec, parse_specs
from bot.model.registration import Target
from bot.model.values import Values
from bot.reconcile.decide import choose, plan
from bot.store.store import Store


@dataclass(frozen=True)
class AppState:
    """The mirror is refreshed. Every method raises GitError when git fails: then nothing is known."""

    app: RepoPath
    mirror: Mirror
    targets: Set[Target]
    store: Store

    def choices(self, *, with_baseline: bool = False) -> list[Choice | Refusal]:
        """What each environment should run. `with_baseline`: old tags count too."""
        refs = self.mirror.refs()
        tags = {ref.name: ref.commit for ref in refs if ref.name.startswith("refs/tags/")}
        appeared = self.store.tags.see(self.app.repository, tags)
        baseline = self.store.tags.baseline(str(self.app), appeared)
        configs = self._configs({ref.commit for ref in refs})
        states = [RefState(ref, configs[ref.commit], appeared.get(ref.name)) for ref in refs]
        return choose(self.app, self.targets, states, None if with_baseline else baseline)

    def by_hand(self, target: Target, name: str) -> Choice | Refusal:
        """A ref that a person names. Raises DppctlError when there is none.

        Which pipelines are run is what its `.dppctl.yaml` says for the environment, whatever triggers that; or all.
        """
        ref = self.mirror.resolve(name)
        config = self._configs({ref.commit})[ref.commit]
        if isinstance(config, str):
            return Refusal(self.app, target.environment, ref, config)
        actions = config.actions(self.app) if config else ()
        named = [action for ops, action in actions if (ops, action.environment) == (target.ops, target.environment)]
        every = Action.model_construct(branch="", tags=None, environment=target.environment, pipeline="all")
        return Choice(target, ref, named[0] if named else every)

    def config(self, ref: Ref) -> AppConfig:
        """What the app says at a ref; without a file, what holds then. Raises DppctlError for a refused file."""
        config = self._configs({ref.commit})[ref.commit]
        if isinstance(config, str):
            raise DppctlError(config)
        return config or AppConfig()

    def plan(
        self,
        choice: Choice,
        text: str | None,
        *,
        request: int | None = None,
        in_image: Callable[[AppConfig], bool] = lambda _: False,
    ) -> Update | Refusal | Same | None:
        """What to do about a choice, when the ops repo holds this text; its image is not looked for.

        `in_image`: does an app with this configuration run in one?
        """
        target, ref = choice.target, choice.ref
        present = read_values(target, text)
        try:
            specs = parse_specs(self.mirror.read_below(ref.commit, self.app.path, is_spec, MAX_SPEC_BYTES))
        except GitError:
            raise
        except DppctlError as error:
            return Refusal(self.app, target.environment, ref, str(error))
        same = False
        if present and present.source.commit != ref.commit and present.source.path == self.app.path:
            trees = self.mirror.trees([present.source.commit, ref.commit], self.app.path)
            same = trees[ref.commit] is not None and len(set(trees.values())) == 1
        if present and (present.image is not None) != in_image(self.config(ref)):
            present = None  # from now on with an image, or without
        return plan(choice, specs, present, same_files=same, request=request)

    def tree(self, ref: Ref) -> str:
        """The id of the app's files at a ref."""
        return self.mirror.trees([ref.commit], self.app.path)[ref.commit] or ""

    def _configs(self, commits: Set[str]) -> Mapping[str, AppConfig | str | None]:
        """Each commit's `.dppctl.yaml`, parsed once for commits with the same content."""
        file = self.app.file(CONFIG_FILE)
        try:
            contents = self.mirror.read({(commit, file) for commit in commits}, MAX_CONFIG_BYTES)
        except GitError:
            raise
        except DppctlError as error:  # too large, at one of them
            found = {commit: self._configs({commit})[commit] for commit in commits} if len(commits) > 1 else {}
            return found or dict.fromkeys(commits, str(error))
        parsed = {content: _parse(content, file) for content in set(contents.values())}
        return {commit: parsed[contents[commit, file]] for commit in commits}


def read_values(target: Target, text: str | None) -> Values | None:
    """What a values file says; None without one, or when it is not as the bot writes it."""
    try:
        return None if text is None else Values.from_yaml(text, target.values_file)
    except DppctlError:
        return None


def _parse(content: bytes | None, where: str) -> AppConfig | str | None:
    if content is None:
        return None
    try:
        return parse_app_config(content.decode(), where)
    except UnicodeDecodeError:
        return f"{where}: not UTF-8"
    except DppctlError as error:
        return str(error)
