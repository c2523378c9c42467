"""Bring the ops repos to what the apps' repositories say: observe, decide and apply, which follow each other here."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, TransientError, may_pass, reason_of
from bot.git.errors import GitError
from bot.git.mirror import Mirror
from bot.limits import MAX_REASON_LINES
from bot.logs import bind_push, get_logger
from bot.model.app_state import AppState
from bot.model.decisions import Choice, Decision, Refusal, Same, Skip, Update
from bot.model.names import RepoPath, short
from bot.model.registration import Target
from bot.reconcile.context import BotContext
from bot.reconcile.decide import choose, decide
from bot.reconcile.explain import describe, explain
from bot.reconcile.foreign_changes import observe_foreign_changes
from bot.reconcile.images import Waiting
from bot.reconcile.lost_commits import find_lost
from bot.reconcile.observe import observe
from bot.reconcile.record import record
from bot.reconcile.refreshes import Refreshes, error_of
from bot.reconcile.settled import Look, Note, Settled, fingerprint_of
from bot.store.tables import Hold

_log = get_logger("dppctl.bot")


@dataclass
class Result:
    """How it went with one repository.

    failure: git, the network or a registry; to be tried again. notes: why chosen refs were not deployed, and other
    things to tell the person who pushed. looks: what its apps were, for all other refs. waiting: an image is being
    built; then the app is looked at again.
    """

    failure: str | None = None
    waiting: bool = False
    notes: list[Note] = field(default_factory=list)
    looks: list[tuple[AppState, Sequence[Choice | Refusal]]] = field(default_factory=list)

    def fail(self, message: str) -> None:
        """Note a failure; the first one stays."""
        self.failure = self.failure or message

    def add(self, look: Look) -> None:
        """Add what was said of an app before."""
        self.notes += look.notes
        self.looks += [look.state] if look.state else []

    def reason(self, ref: str | None) -> str | None:
        """Return why a push of the ref of this full name (None: of any) deployed nothing; None: it deployed."""
        lines = [note.text for note in self.notes if ref in (None, note.ref)]
        lines += [line for state, outcomes in self.looks for line in (explain(state, ref, outcomes) if ref else ())]
        return "\n".join(list(dict.fromkeys(lines))[:MAX_REASON_LINES]) or None


Results = dict[str, Result]
Texts = dict[Target, str | None]  # what the ops repos hold; None without the file


class Reconciler:
    """Reconciles registered apps, and writes to the ops repos. Used by the bot's one thread."""

    def __init__(self, context: BotContext) -> None:
        self._targets, self._apps, self._ops = context.targets, context.apps, context.ops
        self._store, self._images = context.store, context.images
        self._on_change, self._stop = context.on_change, context.stop
        self._signatures = context.signatures
        self._targets_of: dict[RepoPath, list[Target]] = {}
        for target in sorted(context.targets):
            self._targets_of.setdefault(target.app, []).append(target)
        self._settled = Settled(context.store.settled)
        self._refreshes = Refreshes()
        self._listings: dict[RepoPath, Set[str]] = {}  # the branches and tags at the last look
        self._recorded: dict[str, str | None] = {}  # by ops repo, the commit up to which all of ours have a deployment

    def reconcile(self, repositories: Set[str], deliveries: Mapping[str, Sequence[str]]) -> Results:
        """Bring the ops repos to what the apps in these repositories say now; return how it went with each.

        `deliveries`: by repository, the ids of the webhook deliveries that this is done for.
        """
        results = {name: Result() for name in repositories}
        apps = [app for app in self._targets_of if app.repository in repositories]
        holds, failed = self._store.holds.all(), self._store.deployments.failed()
        readable, texts = self._refresh(apps, results)
        updates: list[Update] = []
        for app in readable:
            if not self._stop.is_set():
                ids = tuple(deliveries.get(app.repository, ()))
                with bind_push(ids, app=app):
                    try:
                        found = self._updates(app, texts, holds, failed, results[app.repository], asked=bool(ids))
                    except DppctlError as error:
                        self._fail(results, app.repository, str(error))
                    except SQLAlchemyError:
                        raise
                    except Exception as error:  # noqa: BLE001 (whatever it is, the other apps have nothing to do with it)
                        _log.exception("look broke")
                        self._fail(results, app.repository, reason_of(error))
                    else:
                        updates += [replace(update, deliveries=ids) for update in found]
        self._settled.keep()
        for name in sorted({update.target.ops.repository for update in updates}):
            if not self._stop.is_set():
                self._apply(name, [update for update in updates if update.target.ops.repository == name], results)
        return results

    def write(self, name: str, updates: Sequence[Update]) -> dict[Target, str | DppctlError]:
        """Commit updates to an ops repo and record them as deployments.

        Returns for each target that changed its ops commit, or why it cannot have one. Raises GitError when the ops
        repo cannot be reached; then nothing was written.
        """
        results = self._ops[name].write(updates)
        for update in updates:
            ops_commit = results.get(update.target)
            if isinstance(ops_commit, str):
                self._store.deployments.record(update, ops_commit)
                with bind_push(update.deliveries, app=update.target.app, environment=update.target.environment):
                    note = {"note": update.note} if update.note else {}
                    _log.info("deploying", commit=update.values.source.commit, ops_commit=ops_commit, **note)
        self._recorded[name] = self._ops[name].head
        if results:
            self._on_change()
        return results

    def _refresh(self, apps: Sequence[RepoPath], results: Results) -> tuple[list[RepoPath], Texts]:
        """Ask each repository once; return the apps that could be read, and what the ops repos hold for them."""
        names = {app.repository for app in apps}
        targets = [target for app in apps for target in self._targets_of[app]]
        ops = {target.ops.repository for target in targets}
        refreshes: dict[tuple[str, str], Callable[[], None]]
        refreshes = {("app", name): self._apps[name].refresh for name in names}
        refreshes |= {("ops", name): self._ops[name].refresh for name in ops}
        errors = self._refreshes.refresh(refreshes)
        texts: Texts = {}
        for name in ops:
            held = [target for target in targets if target.ops.repository == name]
            error = errors["ops", name] or error_of(partial(self._read, name, held, texts))
            for target in held if error else ():
                self._fail(results, target.app.repository, f"{name}: {error}")
        for name in names:
            if error := errors["app", name]:
                self._fail(results, name, f"{name}: {error}")
        return [app for app in apps if not errors["app", app.repository]], texts

    def _read(self, name: str, targets: Sequence[Target], texts: Texts) -> None:
        """Add what an ops repo holds to `texts`; commits of ours that a crash kept from being recorded are so first."""
        ops = self._ops[name]
        if ops.head != self._recorded.get(name):
            written = {commit.ops_commit: commit for commit in ops.written()}
            registered = {(str(target.app), target.environment) for target in self._targets}
            for ops_commit in reversed(self._store.deployments.unrecorded(list(written))):
                found = written[ops_commit]
                if (found.app, found.environment) in registered:
                    self._store.deployments.record_commit(
                        ops_commit, found.app, found.environment, found.ref, found.commit
                    )
            self._recorded[name] = ops.head
        texts |= ops.texts(targets)

    def _updates(
        self,
        app: RepoPath,
        texts: Texts,
        holds: Sequence[Hold],
        failed: Set[tuple[str, str, str]],
        result: Result,
        *,
        asked: bool,
    ) -> list[Update]:
        """Return what is to be written for an app, with its images; what else was decided is done.

        failed: app, environment and commit of deployments; asked: somebody wants to know what is said of it.
        """
        mirror, targets = self._apps[app.repository], self._targets_of[app]
        held = {target: texts[target] for target in targets if target in texts}
        of_app = [hold for hold in holds if hold.app == str(app)]
        of_failed = {(environment, commit) for name, environment, commit in failed if name == str(app)}
        new = self._new_refs(app, mirror.seen)
        signers = self._signatures.signers(targets[0])
        fingerprint = fingerprint_of(mirror.seen, held, of_app, of_failed, targets, self._images.policy, signers)
        if look := self._settled.find(app, fingerprint, asked=asked):
            result.add(look)
            return []
        self._settled.forget(app)
        verify = partial(self._signatures.problems, targets[0], mirror.folder)
        with mirror.open() as repository:
            lost = find_lost(mirror, repository, held, of_failed)
            state = observe(app, repository, self._targets, held, of_app, self._store, lost, verify)
        state = observe_foreign_changes(state, self._images.policy, held, self._ops, self._store)
        seen = (replace(state, commits={}), choose(state))  # without what only decisions need
        result.looks.append(seen)
        due, before = [], len(result.notes)
        for decision in decide(state, self._images.policy):
            if isinstance(decision, Update):
                due.append(decision)
                if decision.note:
                    result.notes.append(Note(decision.ref.name, f"{decision.target.environment}: {decision.note}"))
            else:
                self._note(decision, result)
        resolved = [self._resolve(state, update, mirror, result) for update in due]
        self._images.keep(state, due)
        if not due and len(held) == len(targets) and not self._stop.is_set():  # a refused image may come
            self._settled.add(app, fingerprint, Look(seen, result.notes[before:]))
        for name in new[:MAX_REASON_LINES]:  # also what no webhook said
            if reason := result.reason(name):
                _log.info("not deployed", app=app, ref=short(name), reason=reason)
        return [update for update in resolved if isinstance(update, Update)]

    def _resolve(self, state: AppState, update: Update, mirror: Mirror, result: Result) -> Update | Waiting | None:
        """Return the update with its image, or what it waits for; None when it is refused."""
        files = mirror.files(update.ref.commit, state.app.path)
        try:
            with bind_push((), environment=update.target.environment):
                resolved = self._images.resolve(state, update, files)
        except (GitError, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001 (it is recorded, and what is a mistake of ours is logged)
            if may_pass(error):
                resolved = self._images.put_off(update, reason_of(error))
            else:
                if not isinstance(error, (DppctlError, OSError)):
                    _log.exception("look broke")
                self._images.give_up(update, reason_of(error))
                self._note(Refusal(state.app, update.target.environment, update.ref, reason_of(error)), result)
                return None
        if isinstance(resolved, Waiting):
            result.waiting = True
            result.notes.append(Note(update.ref.name, f"{update.target.environment}: {resolved.message}"))
            if resolved.retry:
                self._fail({state.app.repository: result}, state.app.repository, resolved.message)
        return resolved

    def _note(self, decision: Decision, result: Result) -> None:
        """Tell and record a decision by which nothing is deployed."""
        if (text := describe(decision)) and isinstance(decision, Same | Skip | Refusal):
            result.notes.append(Note(decision.ref.name, text))
        if not self._stop.is_set():
            record(decision, self._store)

    def _new_refs(self, app: RepoPath, listing: str) -> list[str]:
        """Return the full names of the branches and tags that are new since the last look, or were moved."""
        lines = {line for line in listing.split("\n") if "\trefs/" in line}
        new = lines - self._listings.get(app, lines)
        self._listings[app] = lines
        return sorted({line.partition("\t")[2].removesuffix("^{}") for line in new})

    def _apply(self, name: str, updates: Sequence[Update], results: Results) -> None:
        """Write updates to an ops repo; what cannot be written is refused."""
        try:
            written = self.write(name, updates)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, other ops repos have nothing to do with it)
            if not isinstance(error, GitError):
                _log.exception("write broke", repository=name)
            for update in updates:
                self._fail(results, update.target.app.repository, f"{name}: {reason_of(error)}")
            return
        for update in updates:
            app, error_or_commit = update.target.app, written.get(update.target)
            if isinstance(error_or_commit, TransientError):
                self._fail(results, app.repository, f"{name}: {error_or_commit}")
            elif isinstance(error_or_commit, DppctlError):
                refusal = Refusal(app, update.target.environment, update.ref, str(error_or_commit))
                self._note(refusal, results[app.repository])

    def _fail(self, results: Results, repository: str, message: str) -> None:
        if results[repository].failure is None and not self._stop.is_set():
            _log.error("reconcile failed", repository=repository, error=message)
        results[repository].fail(message)
