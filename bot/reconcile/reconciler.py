"""Bring the ops repos to what the apps' repositories say: observe, decide and apply, which follow each other here."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, TransientError, may_pass, reason_of
from bot.git.errors import GitError
from bot.git.mirror import BusyError, Mirror
from bot.limits import COPY_SECONDS, MAX_REASON_LINES
from bot.logs import bind_push, get_logger
from bot.model.app_state import AppState
from bot.model.decisions import Decision, GateWait, Refusal, Removal, SameFiles, Skip, Update, Written
from bot.model.names import RepoPath, short
from bot.model.previews import is_among
from bot.model.registration import Target, registered_for
from bot.reconcile.context import BotContext
from bot.reconcile.decide import choose, decide
from bot.reconcile.explain import describe
from bot.reconcile.foreign_changes import observe_foreign_changes
from bot.reconcile.images import Waiting
from bot.reconcile.lost_commits import find_lost
from bot.reconcile.observe import observe
from bot.reconcile.record import keep_previews, keep_waiting, record, remove
from bot.reconcile.refreshes import error_of
from bot.reconcile.result import Result, Results
from bot.reconcile.settled import LastObservation, Note, Settled, fingerprint_of
from bot.store.tables import Hold

_log = get_logger("dppctl.bot")


Texts = dict[Target, str | None]  # what the ops repos hold; None without the file


class Reconciler:
    """Reconciles registered apps, and writes to the ops repos: several at the same time, never one of them twice."""

    def __init__(self, context: BotContext) -> None:
        self._targets, self._apps, self._ops = context.targets, context.apps, context.ops
        self._store, self._images = context.store, context.images
        self._on_change, self._may_write, self._stop = context.on_change, context.may_write, context.stop
        self._signatures = context.signatures
        self._targets_in: dict[str, dict[RepoPath, list[Target]]] = {name: {} for name in context.ops}
        self._targets_of: dict[RepoPath, list[Target]] = {}
        for target in sorted(context.targets):
            self._targets_in[target.ops.repository].setdefault(target.app, []).append(target)
            self._targets_of.setdefault(target.app, []).append(target)
        self._settled = Settled(context.store.settled)
        self._listings: dict[tuple[str, RepoPath], Set[str]] = {}  # the branches and tags at the last look
        self._recorded: dict[str, str | None] = {}  # by ops repo, the commit up to which all of ours have a deployment
        # What the environments hold, as far as it was read, of apps that other ops repos deploy too.
        self._held: Texts = {}
        self._limits = context.previews
        self._previews: dict[tuple[str, RepoPath], list[Target]] = {}  # by ops repo and app, those that there are

    def reconcile(
        self, name: str, repositories: Set[str], deliveries: Mapping[str, Sequence[str]], *, is_asked: bool = True
    ) -> Results:
        """Bring an ops repo to what the apps in these repositories said when they were refreshed; return how it went.

        `deliveries`: by repository, the ids of the webhook deliveries that this is done for. is_asked: it is not only
        the clock that asks; then others' pushes to the ops repo are asked for too.
        """
        results = {repository: Result() for repository in repositories}
        apps = [app for app in self._targets_in[name] if app.repository in repositories]
        texts: Texts = {}
        error = error_of(self._ops[name].refresh) if is_asked or not self._ops[name].is_known else None
        if error := error or error_of(partial(self._read, name, apps, texts)):
            for repository in results:
                self._fail(results, repository, f"{name}: {error}")
            return results
        holds, failed = self._store.holds.all(), self._store.deployments.failed()
        updates: list[Written] = []
        for app in apps:
            if not self._stop.is_set():
                ids, result = tuple(deliveries.get(app.repository, ())), results[app.repository]
                with bind_push(ids, app=app):
                    look = partial(self._look, name, app, texts, holds, failed, result, asked=bool(ids))
                    updates += [
                        replace(update, deliveries=ids) for update in self._guard(look, app.repository, results)
                    ]
        self._settled.keep()
        if updates and not self._stop.is_set():
            self._apply(name, updates, results)
        return results

    def _guard(self, look: Callable[[], list[Written]], repository: str, results: Results) -> list[Written]:
        """Return what a look finds; what it raises, whatever that is, is the repository's failure and nobody else's."""
        try:
            return look()
        except BusyError:
            results[repository].is_busy = True
        except DppctlError as error:
            self._fail(results, repository, str(error))
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, the other apps have nothing to do with it)
            _log.exception("look broke")
            self._fail(results, repository, reason_of(error))
        return []

    def re_read(self, name: str) -> bool:
        """Ask an ops repo for others' pushes; return whether there were any since the last time. Raises GitError."""
        ops, before = self._ops[name], self._recorded.get(name)
        ops.refresh()
        return ops.head != before

    def write(self, name: str, updates: Sequence[Written]) -> dict[Target, str | DppctlError]:
        """Commit updates to an ops repo and record them as deployments.

        Returns for each target that changed its ops commit, or why it cannot have one. Raises GitError when the ops
        repo cannot be reached; then nothing was written.
        """
        results = self._ops[name].write(updates, partial(self._prepare_push, name))
        for update in updates:
            ops_commit = results.get(update.target)
            if isinstance(ops_commit, str):
                with bind_push(update.deliveries, app=update.target.app, environment=update.target.environment):
                    if isinstance(update, Removal):
                        remove(update, self._store)
                        continue
                    self._store.deployments.record(update, ops_commit)
                    note = {"note": update.note} if update.note else {}
                    _log.info("deploying", commit=update.values.source.commit, ops_commit=ops_commit, **note)
        if any(isinstance(ops_commit, str) for ops_commit in results.values()):
            self._recorded[name] = self._ops[name].head
        if results:
            self._on_change()
        return results

    def _prepare_push(self, name: str) -> None:
        """Record what others wrote meanwhile, as a bot that was killed right after it; raise what forbids the push."""
        self.record_written(name)
        self._may_write(name)

    def _read(self, name: str, apps: Sequence[RepoPath], texts: Texts) -> None:
        """Add what an ops repo holds for apps to `texts`; commits of ours that a crash left unrecorded are so first."""
        self.record_written(name)
        targets = [target for app in apps for target in self._targets_in[name][app]]
        for pattern in (target for target in targets if target.is_pattern):
            self._previews[name, pattern.app] = self._ops[name].previews(pattern)
        previews = (target for app in apps for target in self._previews.get((name, app), ()))
        texts |= self._ops[name].texts([*targets, *previews])
        shared = {app for app in apps if self._elsewhere(name, app)}
        self._held |= {target: text for target, text in texts.items() if target.app in shared}

    def record_written(self, name: str) -> None:
        """Record those of our commits to an ops repo that a crash left unrecorded."""
        ops = self._ops[name]
        if ops.head != self._recorded.get(name):
            written = {commit.ops_commit: commit for commit in ops.written()}
            for ops_commit in reversed(self._store.deployments.unrecorded(list(written))):
                found = written[ops_commit]
                if registered_for(found.app, found.environment, self._targets):
                    self._store.deployments.record_commit(
                        ops_commit,
                        found.app,
                        found.environment,
                        found.ref,
                        found.commit,
                        request=found.request,
                        origin=found.origin,
                    )
            self._recorded[name] = ops.head

    def _elsewhere(self, name: str, app: RepoPath) -> list[Target]:
        """Return the targets of an app in other ops repos than this."""
        return [target for target in self._targets_of[app] if target.ops.repository != name]

    def _look(
        self,
        name: str,
        app: RepoPath,
        texts: Texts,
        holds: Sequence[Hold],
        failed: Set[tuple[str, str, str]],
        result: Result,
        *,
        asked: bool,
    ) -> list[Written]:
        """Return what is to be written for an app, with its images; what else was decided is done.

        failed: app, environment and commit of deployments; asked: somebody wants to know what is said of it.
        """
        mirror, targets = self._apps[app.repository], self._targets_in[name][app]
        held = {target: texts[target] for target in [*targets, *self._previews.get((name, app), ())]}
        rules = self._limits.rules(datetime.now(UTC)) if any(target.is_pattern for target in targets) else None
        idle = (rules.most, self._store.previews.idle(app.repository, rules.since)) if rules else None
        of_app = [hold for hold in holds if hold.app == str(app)]
        of_failed = {(environment, commit) for failed_app, environment, commit in failed if failed_app == str(app)}
        new = self._new_refs(name, app, mirror.seen)
        signers = self._signatures.signers(targets[0])
        fingerprint = fingerprint_of(mirror.seen, held, of_app, of_failed, targets, self._images.policy, signers, idle)
        place = f"{app} in {name}"
        if look := self._settled.find(place, fingerprint, asked=asked):
            result.add(look)
            return []
        self._settled.forget(place)
        verify = partial(self._signatures.problems, targets[0], mirror.folder)
        elsewhere = self._elsewhere(name, app)
        with mirror.use(COPY_SECONDS):
            with mirror.open() as repository:
                lost = find_lost(mirror, repository, held, of_failed)
                known = held | {target: self._held[target] for target in elsewhere if target in self._held}
                everywhere = observe(app, repository, self._targets, known, of_app, self._store, lost, verify, rules)
            here = {target: found for target, found in everywhere.targets.items() if target.ops.repository == name}
            state = replace(everywhere, targets=here)
            state = observe_foreign_changes(state, self._images.policy, held, self._ops, self._store)
            seen = (replace(state, commits={}), choose(state))  # without what only decisions need
            result.looks.append(seen)
            keep_previews(state, seen[1], targets, self._store)
            due, gone, before = list[Update](), list[Written](), len(result.notes)
            others = {target.environment for target in elsewhere} - {target.environment for target in targets}
            decisions = list(decide(state, self._images.policy))
            for decision in decisions:
                if isinstance(decision, Update):
                    due.append(decision)
                    if decision.note:
                        result.notes.append(Note(decision.ref.name, f"{decision.target.environment}: {decision.note}"))
                elif isinstance(decision, Removal):
                    gone.append(decision)
                elif not (isinstance(decision, Refusal) and is_among(decision.environment, others)):
                    self._note(decision, result)
            # Which image runs elsewhere counts too: what one environment ran is what the next one gets.
            resolved = [self._resolve(everywhere, update, mirror, result) for update in due]
            self._images.keep(app, name, due, others)
        if not self._stop.is_set() and not keep_waiting(state, targets, decisions, self._store) and not (due or gone):
            self._settled.add(place, fingerprint, LastObservation(seen, result.notes[before:]))
        for ref in new[:MAX_REASON_LINES]:  # also what no webhook said
            if reason := result.reason(ref):
                _log.info("not deployed", app=app, ref=short(ref), reason=reason)
        return [*gone, *(update for update in resolved if isinstance(update, Update))]

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
        if (text := describe(decision)) and isinstance(decision, SameFiles | Skip | Refusal | GateWait):
            result.notes.append(Note(decision.ref.name, text))
        if not self._stop.is_set():
            record(decision, self._store)

    def _new_refs(self, name: str, app: RepoPath, listing: str) -> list[str]:
        """Return the full names of the branches and tags that are new since the last look, or were moved."""
        lines = {line for line in listing.split("\n") if "\trefs/" in line}
        new = lines - self._listings.get((name, app), lines)
        self._listings[name, app] = lines
        return sorted({line.partition("\t")[2].removesuffix("^{}") for line in new})

    def _apply(self, name: str, updates: Sequence[Written], results: Results) -> None:
        """Write updates to an ops repo; what cannot be written is refused."""
        try:
            written = self.write(name, updates)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, other ops repos have nothing to do with it)
            if not isinstance(error, DppctlError):
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
