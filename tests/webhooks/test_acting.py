"""Acts from the pages without a login: a person at this machine, and nobody else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.usage_events import SpoolError, UsageEvent
from tests.support.pages import APP, PagesWorld, deploy, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PagesWorld]:
    world = make_world(tmp_path)
    yield world
    world.store.close()


def _asked(world: PagesWorld) -> list[str]:
    return [request.act for request in world.store.requests.take()]


def test_the_page_of_an_environment_has_what_is_possible_there(world: PagesWorld) -> None:
    client = world.client()
    assert world.actions(client) == ["Roll back", "Hold", "Deploy"]
    assert world.actions(client, f"/apps/{APP}/production") == ["Promote staging to production", "Hold", "Deploy"]
    assert world.actions(client, "/deployments/1") == ["Roll back to this"]
    deploy(world.store, 3, state="failed")
    deploy(world.store, 4, state="running")
    assert world.actions(client, "/deployments/3") == ["Try again"]
    assert world.actions(client, "/deployments/4") == ["Cancel this deployment"]
    world.store.holds.set(APP, "staging", "elections", by="github:1", login="ann")
    assert world.actions(client) == ["Roll back", "Release", "Deploy"]


def test_the_page_of_a_preview_has_what_is_possible_as_long_as_a_branch_has_it(tmp_path: Path) -> None:
    world, name = make_world(tmp_path, environments=("staging", "production", "preview-*")), "preview-new-chart"
    world.store.previews.keep(APP, "ann/ops", {name: ("refs/heads/new-chart", "staging")})
    deploy(world.store, 3, name)
    assert world.actions(world.client(), f"/apps/{APP}/{name}") == ["Hold", "Deploy"]
    world.store.previews.end(APP, name, "branch new-chart is not there any more")
    assert world.actions(world.client(), f"/apps/{APP}/{name}") == []
    world.store.close()


def test_a_confirmation_shows_from_what_to_what_and_changes_nothing(world: PagesWorld) -> None:
    page = world.client().get("/acts/rollback", query_string={"app": APP, "environment": "staging"})
    text = page.get_data(as_text=True)
    change = text[text.index('<table id="change">') : text.index("</table>")]
    assert change.index("From") < change.index("v2") < change.index("To") < change.index("v1")
    assert "2" * 10 in change
    assert "984 rows" in change
    assert "2026-01-01 00:00:01" in change
    assert (_asked(world), world.events) == ([], [])
    assert page.headers["Content-Security-Policy"].endswith("form-action 'self'")
    assert page.headers["Cache-Control"] == "no-store"


def test_what_is_confirmed_is_asked_of_the_bot_with_who_and_why(world: PagesWorld) -> None:
    client = world.client()
    fields = world.fields(client, "rollback", to=1)
    answer = world.send(client, "rollback", {**fields, "message": "v2 lost a column"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/requests/1")
    (request,) = world.store.requests.take()
    assert (request.act, request.to_deployment, request.reason) == ("rollback", 1, "v2 lost a column")
    assert request.by.startswith("local:")
    (event,) = world.events
    assert (event.action, event.subject, event.outcome, event.ip) == (
        "rollback",
        f"{APP} staging",
        "asked",
        "127.0.0.1",
    )
    assert (event.user, event.details["message"]) == (request.by, "v2 lost a column")

    page = client.get("/requests/1").get_data(as_text=True)
    assert "v2 lost a column" in page
    assert 'class="state waiting"' in page
    world.store.requests.finish(1, "done", "deployment 3", 2)
    assert "deployment 2</a>" in client.get("/requests/1").get_data(as_text=True)
    assert client.get("/requests/9").status_code == 404


@pytest.mark.parametrize(
    ("act", "query", "more", "asked"),
    [
        ("deploy", {}, {"ref": "v2", "rebuild": "yes"}, {"ref": "v2", "rebuild": True}),
        ("promote", {"environment": "production", "source": "staging"}, {}, {"to_deployment": 2}),
        ("hold", {}, {"until": "2027-01-31T18:00", "message": "elections"}, {"reason": "elections"}),
        ("cancel", {"deployment": 4}, {}, {"deployment": 4}),
        ("retry", {"deployment": 3}, {}, {"deployment": 3, "accept": False}),
        ("retry", {"deployment": 3}, {"accept": "yes", "message": "fewer zones"}, {"accept": True}),
        ("deploy", {}, {"accept": "yes", "message": "fewer zones"}, {"accept": True, "reason": "fewer zones"}),
        ("rollback", {}, {}, {"to_deployment": 1, "run": False}),
        ("rollback", {"to": 1, "run": "yes"}, {}, {"to_deployment": 1, "run": True}),
    ],
)
def test_each_act_reaches_the_bot(
    world: PagesWorld, act: str, query: dict[str, object], more: dict[str, str], asked: dict[str, object]
) -> None:
    deploy(world.store, 3, state="failed")
    deploy(world.store, 4, state="running")
    client = world.client()
    answer = world.send(client, act, {**world.fields(client, act, **query), **more})
    assert answer.status_code == 303
    (request,) = world.store.requests.take()
    assert {name: getattr(request, name) for name in asked} == asked
    if act == "hold":
        assert request.until
        assert request.until.isoformat() == "2027-01-31T18:00:00+00:00"


def test_a_form_that_is_sent_twice_at_once_or_again_later_asks_once(world: PagesWorld) -> None:
    client = world.client()
    fields = world.fields(client, "rollback")
    cookie = client.get_cookie("dppctl-form")
    assert cookie

    def send(_: int) -> str:
        other = world.client()
        other.set_cookie("dppctl-form", cookie.value)
        return world.send(other, "rollback", fields).headers["Location"]

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(send, range(4))) == {"/requests/1"}
    world.store.requests.finish(1, "done", "fine")
    assert send(0) == "/requests/1"
    assert len(world.store.requests.newest()) == 1


def test_what_moved_meanwhile_is_told_and_not_done(world: PagesWorld) -> None:
    client = world.client()
    old = world.fields(client, "hold") | {"message": "x"}
    deploy(world.store, 3)
    answer = world.send(client, "hold", old)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "v2 (222222222222), deployment 2; now it would be" in text
    assert "v3 (333333333333), deployment 3" in text

    old = world.fields(client, "hold") | {"message": "x"}
    world.store.requests.add(APP, "staging", "rollback", by="local:bob")
    assert "request 1" in world.send(client, "hold", old).get_data(as_text=True)
    world.store.holds.set(APP, "staging", "elections", by="github:1", login="bob")
    answer = world.send(client, "hold", old)
    assert (answer.status_code, "held already by bob" in answer.get_data(as_text=True)) == (409, True)
    assert _asked(world) == ["rollback"]
    assert [event.outcome for event in world.events] == ["409"] * 3


HOSTS = {"HTTP_HOST": "dppctl.example.org"}


@pytest.mark.parametrize(
    ("headers", "environ"),
    [
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, {}),
        ({"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"}, {}),
        ({"Origin": "null"}, {}),
        ({"X-Forwarded-For": "10.0.0.7"}, {}),
        ({"Forwarded": "for=10.0.0.7"}, {}),
        ({}, {"REMOTE_ADDR": "10.0.0.7"}),
        ({}, HOSTS),
    ],
)
def test_others_cannot_act_and_it_is_written_down(
    world: PagesWorld, headers: dict[str, str], environ: dict[str, str]
) -> None:
    """Another site in a browser of this machine, a reverse proxy on it, another machine, another host name."""
    client = world.client()
    fields = world.fields(client, "rollback")
    answer = world.send(client, "rollback", fields, headers, environ_overrides=environ)
    assert answer.status_code == 403
    assert _asked(world) == []
    if environ is not HOSTS:  # which nothing here answers to
        assert [event.outcome for event in world.events] == ["403"]
        assert world.events[0].details.get("forwardedFor") == headers.get("X-Forwarded-For")


def test_a_form_of_somebody_else_is_none(world: PagesWorld) -> None:
    """The token belongs to the browser's own cookie, and nobody else can make it."""
    client, other = world.client(), world.client()
    fields = world.fields(client, "rollback")
    world.fields(other, "rollback")
    assert world.send(other, "rollback", fields).status_code == 403
    assert world.send(world.client(), "rollback", fields).status_code == 403
    assert world.send(client, "rollback", fields | {"csrf": ""}).status_code == 403
    assert world.send(client, "rollback", {name: fields[name] for name in fields if name != "csrf"}).status_code == 403
    assert _asked(world) == []


def test_others_see_no_buttons_and_why(world: PagesWorld) -> None:
    client = world.client()
    elsewhere = {"REMOTE_ADDR": "10.0.0.7"}
    page = client.get(f"/apps/{APP}/staging", environ_overrides=elsewhere).get_data(as_text=True)
    assert 'class="actions"' not in page
    assert "acting works from this machine only, and the request comes from another machine" in page
    assert client.get("/acts/hold", query_string={"app": APP, "environment": "staging"},
                      environ_overrides=elsewhere).status_code == 403  # fmt: skip
    local = client.get("/deployments/1")
    assert "acting works from this machine only" in local.get_data(as_text=True)
    assert local.headers["Content-Security-Policy"].endswith("form-action 'none'")


def test_with_a_public_address_and_no_login_nobody_acts(tmp_path: Path) -> None:
    """What comes by a tunnel looks as if it came from this machine."""
    world = make_world(tmp_path, PUBLIC_URL="https://dppctl.example.org")
    assert world.actions(world.client()) == []
    assert "there is a public address and no login" in world.client().get("/").get_data(as_text=True)
    world.store.close()


@pytest.mark.parametrize(
    ("act", "query", "code", "said"),
    [
        ("explode", {}, 400, "there is no act explode"),
        ("hold", {"environment": "live"}, 404, "does not register ann/app for live"),
        ("hold", {"app": "bob/app"}, 404, "does not register bob/app"),
        ("hold", {"app": ""}, 400, "app: is missing"),
        ("cancel", {"deployment": "x"}, 400, "is no number of a deployment"),
        ("rollback", {"to": "77"}, 409, "has no deployment 77"),
        ("deploy", {"ref": "a b"}, 400, "is no branch, tag or commit"),
        ("hold", {"until": "soon"}, 400, "is no time"),
        ("release", {}, 409, "is not held"),
    ],
)
def test_bad_addresses_are_told_in_a_line(
    world: PagesWorld, act: str, query: dict[str, str], code: int, said: str
) -> None:
    given = {"app": APP, "environment": "staging", **query}
    answer = world.client().get(f"/acts/{act}", query_string=given)
    assert (answer.status_code, said in answer.get_data(as_text=True)) == (code, True)


def test_a_hold_needs_a_reason(world: PagesWorld) -> None:
    client = world.client()
    answer = world.send(client, "hold", world.fields(client, "hold"))
    assert (answer.status_code, _asked(world)) == (400, [])


def test_to_accept_a_change_needs_a_reason(world: PagesWorld) -> None:
    client = world.client()
    answer = world.send(client, "deploy", {**world.fields(client, "deploy"), "accept": "yes"})
    assert (answer.status_code, _asked(world)) == (400, [])
    assert "say why the data is accepted as it comes out" in answer.get_data(as_text=True)


def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    def full(_: UsageEvent) -> None:
        raise SpoolError("no room")

    world = make_world(tmp_path, record=full)
    client = world.client()
    answer = world.send(client, "rollback", world.fields(client, "rollback"))
    assert (answer.status_code, _asked(world)) == (503, [])
    world.store.close()


def test_nobody_fills_the_log_with_refusals(world: PagesWorld) -> None:
    client = world.client()
    codes = [
        world.send(
            client, "hold", {"app": APP, "environment": "staging"}, environ_overrides={"REMOTE_ADDR": "10.0.0.7"}
        )
        for _ in range(62)
    ]
    assert [codes[0].status_code, codes[-1].status_code] == [403, 429]
    assert len(world.events) == 60


def test_a_hold_says_who_since_when_why_and_how_it_ends(world: PagesWorld) -> None:
    world.store.holds.set(APP, "staging", "elections <b>", by="github:1", login="ann")
    for path in ("/", f"/apps/{APP}/staging"):
        text = world.client().get(path).get_data(as_text=True)
        assert "held</span> since <time" in text
        assert 'by <span title="github:1"><bdi>ann</bdi></span>: <bdi>elections &lt;b&gt;</bdi>' in text
    assert f"<code>dppctl release {APP} staging</code>" in text


def test_pages_say_what_was_rolled_back_by_whom_and_why(world: PagesWorld) -> None:
    deploy(world.store, 3, act="rollback", origin_id=1, by="github:1", login="ann", reason="a column was lost")
    for path in ("/", f"/apps/{APP}/staging", "/deployments/3"):
        text = world.client().get(path).get_data(as_text=True)
        assert (
            'rolled back to <a href="/deployments/1">deployment 1</a> by <span title="github:1"><bdi>ann</bdi></span>'
            in text
        )
        assert "a column was lost" in text


def test_the_timeline_of_a_deployment_says_who_asked_for_it_and_why(world: PagesWorld) -> None:
    client = world.client()
    world.send(client, "rollback", {**world.fields(client, "rollback"), "message": "v2 lost a column"})
    (request,) = world.store.requests.take()
    number = world.store.deployments.record_commit("9" * 40, APP, "staging", "refs/tags/v1", "1" * 40, request=1)
    timeline = client.get(f"/deployments/{number}").get_data(as_text=True).partition('<ol id="timeline">')[2]
    assert "requested" in timeline
    assert f"dppctl rollback {APP} staging" in timeline
    assert f"{request.login}: v2 lost a column" in timeline
