"""What acts of people write to an ops repo, and how long the bot leaves it alone."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import cast

from bot.data.compared import needed
from bot.errors import DppctlError
from bot.limits import COPY_SECONDS
from bot.model.acts import Act
from bot.model.app_state import AppState, RefState
from bot.model.decisions import AskedBy, Choice, Ref, Refusal, Update
from bot.model.names import short
from bot.model.registration import Target
from bot.model.values import Source, Values
from bot.reconcile.compared_data import observe_data
from bot.reconcile.context import BotContext
from bot.reconcile.decide import choose, choose_named, decide_manual, would_be_undone_by
from bot.reconcile.gate import is_waited_for
from bot.reconcile.images import Waiting
from bot.reconcile.observe import observe_manual, read_values
from bot.reconcile.reconciler import Reconciler
from bot.store.tables import DeployRequest

Done = tuple[int | None, str]  # the deployment's id, if it made one, and what to say


class ManualWrites:
    """Writes what people asked for, in the thread that writes the ops repo. All raise DppctlError for what cannot be.

    Each can be done again when the bot was killed meanwhile: what the ops repo has already is not written twice.
    """

    def __init__(self, context: BotContext, reconciler: Reconciler) -> None:
        self._targets, self._apps, self._ops = context.targets, context.apps, context.ops
        self._store, self._images = context.store, context.images
        self._signatures, self._reconciler, self._wake = context.signatures, reconciler, context.wake
        self._limits = context.previews

    def found(self, target: Target, request: DeployRequest) -> Done | None:
        """Return what the ops repo has of a request already: the bot ended between its push and the answer."""
        self._ops[target.ops.repository].refresh()
        self._reconciler.record_written(target.ops.repository)
        deployment = self._store.acts.of_request(request.id)
        return (deployment.id, _said(deployment.ops_commit or "")) if deployment else None

    def deploy(
        self, target: Target, request: DeployRequest, ref: str | Ref | None, image_of: Values | None = None
    ) -> Done | Waiting:
        """Deploy what the app's repository has at a ref (None: what would be deployed by itself), in its image.

        image_of: in the image of these values, which has run already.
        """
        mirror = self._apps[target.app.repository]
        with mirror.use(COPY_SECONDS):
            state, named = self._observe(target, ref)
            choice = choose_named(target, named) if named else automatic(state, target, with_baseline=True)
            if choice is None:
                triggers = "no branch or tag triggers it"
                raise DppctlError(f"{target.environment} of {target.app}: {triggers}; name what to deploy with --ref")
            update = decide_manual(choice, state, request.id)
            if isinstance(update, Refusal):
                raise DppctlError(update.message)
            update = replace(update, values=update.values.model_copy(update={"accept": request.accept}))
            if image_of:
                image = update.values.model_copy(update={"image": image_of.image})
                resolved: Update | Waiting = replace(update, values=image)
            else:
                files = mirror.files(update.ref.commit, target.app.path)
                resolved = self._images.resolve_manual(state, update, files, request.id, rebuild=request.rebuild)
            if isinstance(resolved, Waiting):
                return resolved
            held = self._hold(state, target, request, resolved.values)
        note = f"; {update.note}" if update.note else ""
        return self._write(state, resolved, asked_by(request), f"{held}{note}")

    def write(self, target: Target, request: DeployRequest, values: Values, *, origin: str = "") -> Done:
        """Write values that the environment had before; origin: the ops commit that brought them, to go back to it."""
        with self._apps[target.app.repository].use(COPY_SECONDS):
            state, _ = self._observe(target, None)
            held = self._hold(state, target, request, values)
        asked = replace(asked_by(request), origin=origin, runs=request.run)
        return self._write(state, Update(target, values), asked, held)

    def hold(self, target: Target, request: DeployRequest) -> str:
        """Keep what the ops repo says of an environment from being changed, until something new would be deployed."""
        with self._apps[target.app.repository].use(COPY_SECONDS):
            state, _ = self._observe(target, None)
            return self._hold(state, target, request, state.targets[target].values)

    def anew(self, target: Target, request: DeployRequest, values: Values) -> Values:
        """Return values that the environment had, to run again: compared with what others have now."""
        compared = needed(values.expect, observe_data(target.app, values.expect, self._store))
        return values.model_copy(update={"request": request.id, "accept": request.accept, "compared": compared})

    def values_at(self, target: Target, ops_commit: str | None) -> Values:
        """Return what the ops repo said of an environment at a commit."""
        text = self._ops[target.ops.repository].texts([target], ops_commit)[target] if ops_commit else None
        if (values := read_values(target, text)) is None:
            at = (ops_commit or "")[:12]
            raise DppctlError(f"{target.ops}: {target.values_file} cannot be read any more at commit {at}")
        return values

    def _observe(self, target: Target, ref: str | Ref | None) -> tuple[AppState, RefState | None]:
        """Read the app, whose copy is in use, and what a person names. Raises DppctlError."""
        mirror, ops = self._apps[target.app.repository], self._ops[target.ops.repository]
        text = ops.texts([target])[target]
        with mirror.open() as repository:
            verify = partial(self._signatures.problems, target, mirror.folder)
            rules = self._limits.rules(datetime.now(UTC))
            found = observe_manual(target, repository, self._targets, text, self._store, ref, verify, rules)
        if target.is_preview and not isinstance(automatic(found[0], target), Choice):
            raise DppctlError(f"{target.environment} of {target.app}: no branch that is there asks for this preview")
        return found

    def _write(self, state: AppState, update: Update, asked: AskedBy, held: str) -> Done:
        target = update.target
        result = self._reconciler.write(target.ops.repository, [replace(update, asked=asked)]).get(target)
        if is_waited_for(target.environment, state):
            self._wake(target.app.repository)  # what failed there may be waited for once more
        if isinstance(result, DppctlError):
            raise result
        if result is None:
            return None, f"{target.ops} says that of {target.environment} already{held}"
        deployment = self._store.acts.of_request(asked.request)
        return deployment.id if deployment else None, _said(result) + held

    def _hold(self, state: AppState, target: Target, request: DeployRequest, values: Values | None) -> str:
        """Keep these values from being undone at the next look: until something new would be deployed."""
        hold, key = state.targets[target].hold, (str(target.app), target.environment)
        if hold and hold.is_by_person:
            return ""  # it stays
        choice, undone_by = automatic(state, target), None
        if isinstance(choice, Choice):
            commit = state.commits[choice.ref.commit]
            new = (choice.ref.name, commit.tree)
            undone_by = would_be_undone_by(choice, values, state, self._images.policy) if values else new
        if undone_by is None:
            self._store.holds.release(*key)
            return ""
        name = short(undone_by[0])
        self._store.holds.set(
            *key,
            _reason(request, values.source if values else None, name),
            instead_of=undone_by,
            by=request.by,
            login=request.login,
            request=request.id,
        )
        return f"; it stays until {name} is something new"


def automatic(state: AppState, target: Target, *, with_baseline: bool = False) -> Choice | Refusal | None:
    """Return what would be deployed there without being asked."""
    for choice in choose(state, with_baseline=with_baseline):
        if (choice.target == target) if isinstance(choice, Choice) else choice.environment == target.environment:
            return choice
    return None


def asked_by(request: DeployRequest) -> AskedBy:
    """Return who asked for what, for the ops commit."""
    act = cast("Act", request.act)
    return AskedBy(act, request.by, request.login, request.reason, request.id, accepts=request.accept)


def _reason(request: DeployRequest, source: Source | None, name: str) -> str:
    """Return why an environment is held after an act; `name`: what would be deployed there by itself."""
    why = f": {request.reason}" if request.reason else ""
    ref = short(source.ref) if source else "nothing"
    match request.act:
        case "rollback" | "retry":
            what = "rolled back to" if request.act == "rollback" else "run again:"
            return f"{what} {ref} ({source.commit[:12] if source else ''}){why}"
        case "promote":
            return f"{ref} was promoted from {request.from_environment} instead of {name}{why}"
        case "cancel":
            return f"deployment {request.deployment} was cancelled{why}"
    return f"{ref} was deployed by hand instead of {name}{why}"


def _said(ops_commit: str) -> str:
    return f"ops repo commit {ops_commit[:12]}"
