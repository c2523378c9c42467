"""Acts from the pages: what somebody may do here, a confirmation that changes nothing, and the request for the bot.

Nothing is done here. A form that passes every check becomes one request in the store, which the bot takes as it takes
those of the command line; who, what and how it went is recorded before anybody acts on it.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from bot.errors import DppctlError
from bot.logs import get_logger
from bot.model.acts import (
    PAST,
    ActPlan,
    ActRefusedError,
    EnvironmentFacts,
    PastDeployment,
    WantedAct,
    plan_act,
    possible_acts,
    possible_on,
)
from bot.model.previews import PREVIEWS, is_among
from bot.model.registration import Target
from bot.store.store import Store
from bot.store.tables import Deployment
from bot.usage_events import UsageEvent
from webhooks.act_forms import (
    ActForm,
    BadFormError,
    fields_of,
    new_form_id,
    read_form,
    snapshot,
    title_of,
    what_changed,
)
from webhooks.bot_waker import wake_bot
from webhooks.limits import ALL_REFUSALS_A_MINUTE, REFUSALS_A_MINUTE
from webhooks.page_login import CSRF_FIELD, PageLogin
from webhooks.rate_limit import RateLimit
from webhooks.refusals import RefusedAct
from webhooks.request_checks import why_not_own
from webhooks.visitors import LoginAwayError, Visitor, Visitors

Record = Callable[[UsageEvent], None]

_log = get_logger("dppctl.acts")


@dataclass(frozen=True)
class Button:
    """An act that somebody may do now, and where it is confirmed."""

    title: str
    url: str
    hint: str


class ActPages:
    """The views of acts, and the buttons that lead to them."""

    def __init__(
        self, targets: Set[Target], store: Store, visitors: Visitors, login: PageLogin, record: Record
    ) -> None:
        """Act on the environments of `targets`; `record` writes down who did what, before it is done."""
        self._registered: dict[str, set[str]] = {}
        for target in targets:
            self._registered.setdefault(str(target.app), set()).add(target.environment)
        self._store, self._visitors, self._login, self._record = store, visitors, login, record
        self._refusals, self._all_refusals = RateLimit(REFUSALS_A_MINUTE), RateLimit(ALL_REFUSALS_A_MINUTE)

    def buttons(self, app: str, environment: str, deployment: int | None = None) -> tuple[Sequence[Button], str]:
        """Return what the visitor may do to an environment now, or with one deployment; and why nothing, if so."""
        if not is_among(environment, self._registered.get(app, ())):
            return (), ""
        allowed, why_not = self.permission(app)
        if not allowed:
            return (), why_not
        facts = self._facts(app)
        if environment not in facts or facts[environment].is_missing:
            return (), ""
        if deployment is not None:
            plans = possible_on(environment, deployment, facts)
        else:
            plans = [*possible_acts(environment, facts), plan_act(WantedAct("deploy", environment), facts)]
        return [_button(plan) for plan in plans], ""

    def permission(self, app: str) -> tuple[bool, str]:
        """Return whether the visitor may act on an app, and why not: nothing else of the visitor matters to buttons."""
        visitor = self._login.visitor()
        if not visitor.user or app not in self._registered:
            return False, ""
        try:
            permission = self._visitors.may_act(visitor, app)
        except LoginAwayError:
            return False, "What you may do is not known now: the login server does not answer."
        return permission.allowed, "" if permission.allowed else f"You may not act here: {permission.reason}."

    def confirm(self, act: str) -> str:
        """Return the page that shows what an act would change, and asks whether it is meant. Raises RefusedAct."""
        form = self._read(act, request.args)
        self._check_permission(form)
        try:
            return self._confirmation(form, plan_act(form.wanted, self._facts(form.app)))
        except ActRefusedError as error:
            self._refuse(form, 409, str(error))

    def perform(self, act: str) -> Response:
        """Ask the bot for an act that was confirmed, once for each form, and lead to the request. Raises RefusedAct."""
        form = self._read(act, request.form)
        self._check_permission(form)
        visitor = self._check_sender(form)
        changed = self._what_changed(form)
        if done := self._store.requests.of_form(form.id):  # looked for last: what it has changed itself is no reason
            return redirect(url_for("request", identity=done.id), 303)
        if changed:
            self._refuse(form, 409, f"{changed}. Nothing was done; look again")
        if form.wanted.act == "hold" and not form.message:
            self._refuse(form, 400, "say why it is held")
        if form.accept and not form.message:
            self._refuse(form, 400, "say why the data is accepted as it comes out")
        self._note(form, visitor, "asked")
        identity = self._store.requests.add(
            form.app,
            form.wanted.environment,
            form.wanted.act,
            by=visitor.user,
            login=visitor.login,
            reason=form.message,
            ref=form.ref,
            rebuild=form.rebuild,
            accept=form.accept,
            from_environment=form.wanted.source,
            to_deployment=form.wanted.to,
            deployment=form.wanted.deployment,
            until=form.until,
            run=form.wanted.run,
            form=form.id,
        )
        wake_bot()
        _log.info("asked", request=identity, act=form.wanted.act, user=visitor.user, **_place(form))
        return redirect(url_for("request", identity=identity), 303)

    def request(self, identity: int) -> str:
        """Return `/requests/ID`: who asked for what, and what became of it."""
        change = self._store.totals.change_number()
        found = self._store.requests.get(identity) if identity < 2**31 else None
        if found is None:
            raise NotFound("there is no such request")
        deployment = self._store.deployments.get(found.deployment_id) if found.deployment_id else None
        return render_template("request.html", change=change, asked=found, deployment=deployment, past=PAST)

    def _read(self, act: str, given: Mapping[str, str]) -> ActForm:
        """Return what is asked for. Raises RefusedAct for what is wrong, NotFound for what is not registered."""
        try:
            form = read_form(act, given)
        except BadFormError as error:
            raise RefusedAct(400, str(error)) from None
        if not is_among(form.wanted.environment, self._registered.get(form.app, ())):
            raise NotFound(f"apps.yaml does not register {form.app[:200]} for {form.wanted.environment[:100]}")
        return form

    def _check_sender(self, form: ActForm) -> Visitor:
        """Return who sent a form. Raises RefusedAct unless one of our own pages made it for them."""
        visitor = self._login.visitor()
        if reason := why_not_own(request.environ):
            self._refuse(form, 403, f"the form was not sent by this page: {reason}")
        given = request.form.get(CSRF_FIELD, "")
        if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
            self._refuse(form, 403, "the form is of another login, or too old; open it again")
        if not form.id:
            self._refuse(form, 400, "form: is missing")
        return visitor

    def _check_permission(self, form: ActForm) -> None:
        """Raise RefusedAct unless the visitor may act on the app."""
        visitor = self._login.visitor()
        if visitor.is_away:
            self._refuse(form, 503, visitor.note)
        if not visitor.user:
            self._refuse(form, 403, visitor.note or "log in first")
        try:
            permission = self._visitors.may_act(visitor, form.app)
        except LoginAwayError:
            self._refuse(form, 503, "the login server does not answer; try again in a moment")
        if not permission.allowed:
            self._refuse(form, 403, permission.reason)

    def _what_changed(self, form: ActForm) -> str | None:
        """Return why what a form shows is not so any more, in a sentence; None: it is."""
        try:
            plan = plan_act(form.wanted, self._facts(form.app))
        except ActRefusedError as error:
            return str(error)
        return what_changed(form.shown, snapshot(plan, self._newest_request(form)))

    def _facts(self, app: str) -> Mapping[str, EnvironmentFacts]:
        return self._store.acts.of_app(app, self._registered[app] - {PREVIEWS})

    def _newest_request(self, form: ActForm) -> int | None:
        newest = self._store.requests.newest(form.app, form.wanted.environment, 1)
        return newest[0].id if newest else None

    def _confirmation(self, form: ActForm, plan: ActPlan) -> str:
        wanted = form.wanted
        if wanted.act in ("rollback", "promote") and plan.after:
            wanted = replace(wanted, to=plan.after.id)  # what is shown, whatever runs when the bot takes it
        return render_template(
            "confirm.html",
            title=title_of(form.wanted),
            plan=plan,
            before=self._deployment(plan.before),
            after=self._deployment(plan.after),
            fields={
                **fields_of(form.app, wanted),
                "form": new_form_id(),
                "shown": snapshot(plan, self._newest_request(form)),
            },
            form=form,
        )

    def _deployment(self, past: PastDeployment | None) -> Deployment | None:
        return self._store.deployments.get(past.id) if past else None

    def _refuse(self, form: ActForm, code: int, reason: str) -> NoReturn:
        """Write down that somebody was refused. Raises RefusedAct."""
        visitor = self._login.visitor()
        if not visitor.user and (self._refusals.wait(request.remote_addr or "") or self._all_refusals.wait("")):
            raise RefusedAct(429, "too many tries without a login; wait a minute")  # nobody fills the log
        _log.warning("act refused", act=form.wanted.act, user=visitor.user, code=code, reason=reason, **_place(form))
        self._note(replace(form, message=reason), visitor, str(code))
        back = url_for("environment", app=form.app, environment=form.wanted.environment)
        raise RefusedAct(code, reason, title_of(form.wanted), back)

    def _note(self, form: ActForm, visitor: Visitor, outcome: str) -> None:
        """Record what is about to be done, or was refused. Raises RefusedAct when that is not possible."""
        details: dict[str, str | int] = {**fields_of(form.app, form.wanted), "message": form.message}
        if forwarded := request.headers.get("X-Forwarded-For"):
            details["forwardedFor"] = forwarded  # as whoever sent it says
        event = UsageEvent(
            user=visitor.user,
            login=visitor.login,
            action=form.wanted.act,
            subject=f"{form.app} {form.wanted.environment}",
            outcome=outcome,
            ip=request.remote_addr or "",
            details=details,
        )
        try:
            self._record(event)
        except DppctlError as error:
            _log.error("an act cannot be recorded", error=error)
            raise RefusedAct(503, "what is done cannot be written down now, so nothing is done") from None


def _button(plan: ActPlan) -> Button:
    url = f"{url_for('confirm', act=plan.wanted.act)}?{urlencode(fields_of(plan.app, plan.wanted))}"
    return Button(title_of(plan.wanted), url, plan.effect)


def _place(form: ActForm) -> dict[str, str]:
    return {"app": form.app, "environment": form.wanted.environment}
