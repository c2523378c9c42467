"""What the values say of the data: what is expected of it, what it is compared with, and whether it is accepted."""

import pytest

from bot.model.app_config import AppConfig
from bot.model.app_state import AppState, CommitState, TargetState
from bot.model.decisions import Choice, Update
from bot.model.values import Compared, Values
from bot.reconcile.decide import choose_named, decide_manual
from tests.support.app_states import ALLOWED, APP, PRODUCTION, SPECS, STAGING, at, choose, plan
from tests.support.forge import APP as FILES
from tests.support.receipts import data_of, resource
from tests.support.stories.bot import Story

_CONFIG = """\
expect:
- {maxDropPercent: 20, comparedWith: staging}
continuousDeployment:
- appRepoPath: ann/app
  opsRepoPath: ann/ops
  actions:
  - {branch: master, environment: staging}
  - branch: live
    environment: production
    expect: [{resource: committees, columns: keep, comparedWith: staging}]
"""
_APP = FILES | {".dppctl.yaml": _CONFIG}
_DATA = data_of(resource("committees", 90_088, "id:integer name"), resource("zones", 984))


def _config() -> AppConfig:
    expect = [{"minRows": 1}]
    actions = [
        {"branch": "master", "environment": "staging"},
        {"branch": "live", "environment": "production", "expect": []},
    ]
    entry = {"appRepoPath": "ann/app", "opsRepoPath": "ann/ops", "actions": actions}
    return AppConfig.model_validate({"expect": expect, "continuousDeployment": [entry]})


def test_what_an_action_expects_stands_instead_of_what_the_app_does() -> None:
    says = _config()
    choices = [*choose([at("heads/master", says=says)]), *choose([at("heads/live", says=says)])]
    found = {choice.target: choice.expect for choice in choices if isinstance(choice, Choice)}
    assert found == {STAGING: says.expect, PRODUCTION: ()}
    named = choose_named(STAGING, at("heads/other", says=says))
    assert isinstance(named, Choice)
    assert named.expect == says.expect


def test_other_data_of_the_environment_that_is_compared_with_makes_no_new_values() -> None:
    (choice,) = choose([at("heads/master", says=_config())])
    assert isinstance(choice, Choice)
    first = plan(choice, SPECS)
    assert isinstance(first, Update)
    held = first.values.model_copy(update={"compared": (Compared(environment="x"),), "accept": True, "request": 3})
    assert plan(choice, SPECS, held) is None
    other = held.model_copy(update={"expect": ()})
    assert isinstance(plan(choice, SPECS, other), Update)


def test_a_deployment_by_hand_is_compared_with_what_others_have_now() -> None:
    says = AppConfig.model_validate({"expect": [{"columns": "keep", "comparedWith": "production"}]})
    named = at("heads/other", says=says)
    choice = choose_named(STAGING, named)
    commit = CommitState(says, SPECS, "tree", "message", has_dockerfile=False)
    known = {"production": Compared(environment="production", deployment=7)}
    state = AppState(APP, ALLOWED, (named,), targets={STAGING: TargetState(None)}, data=known)
    decision = decide_manual(choice, AppState(**{**vars(state), "commits": {named.ref.commit: commit}}), 3)
    assert isinstance(decision, Update)
    assert decision.values.compared == (known["production"],)


def _ended(story: Story) -> int:
    """Have sync report that the newest deployment brought _DATA; return its number."""
    last = story.last()
    story.report("succeeded", receipt=_DATA)
    return last.id


@pytest.mark.slow
def test_values_have_what_the_named_environment_has_as_far_as_it_is_compared_with(story: Story) -> None:
    story.app.push(_APP)
    story.reconcile()
    staging = story.values("staging")
    assert [(found.max_drop_percent, found.compared_with, found.line) for found in staging.expect] == [(20, None, 2)]
    assert staging.compared == ()  # its own past is known where it runs
    number = _ended(story)
    story.app.push(_APP, branch="live")
    story.reconcile()
    production = story.values("production")
    assert [(found.columns, found.compared_with, found.line) for found in production.expect] == [
        ("keep", "staging", 10)
    ]
    (compared,) = production.compared
    assert (compared.environment, compared.deployment) == ("staging", number)
    assert [(found.name, found.rows, len(found.fields)) for found in compared.resources] == [("committees", 90_088, 2)]

    story.report("failed", "committees: 5 rows")
    commits = len(story.ops.log())
    story.app.push({"file": "other"}, branch="master")
    story.reconcile()
    _ended(story)  # other data in staging
    story.reconcile()
    assert len(story.ops.log()) == commits + 1


@pytest.mark.slow
def test_a_change_is_accepted_once_and_the_ops_commit_says_by_whom_and_why(story: Story) -> None:
    story.app.push(_APP)
    story.reconcile()
    story.report("failed", "zones: gone")
    request = story.ask("deploy", reason="zones are in committees now", accept=True)
    assert request.state == "done", request.message
    assert _accepted(story.values("staging")) == (True, request.id)
    trailers = story.trailers()
    assert (trailers["By"], trailers["Accept-Change"]) == ("github:1 (ann)", "yes")
    assert trailers["Reason"] == "zones are in committees now"
    events = story.store.deployments.get(story.last().id)
    assert events
    assert events.events[0].message == (
        "by hand: dppctl deploy ann/app staging --accept-change, by ann: zones are in committees now"
    )
    story.reconcile()
    assert _accepted(story.values("staging")) == (True, request.id)

    story.report("failed", "the network")
    again = story.ask("retry", deployment=story.last().id)
    assert _accepted(story.values("staging")) == (False, again.id)
    story.report("failed", "zones: gone")
    accepted = story.ask("retry", deployment=story.last().id, accept=True, reason="yes")
    assert _accepted(story.values("staging")) == (True, accepted.id)

    story.app.push({"file": "something new"})
    story.reconcile()
    assert _accepted(story.values("staging")) == (False, None)


def _accepted(values: Values) -> tuple[bool, int | None]:
    return values.accept, values.request
