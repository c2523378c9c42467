"""Tokens: of the file and of the database, what they say of their person, and how they end."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.accounts import AccountsAwayError
from cluster.auth.admission import Lists
from cluster.auth.device_codes import DeviceCodes, DeviceRequest
from cluster.auth.tables import AuthBase
from tests.support.auth import ANN, BEN, SERVICE, AuthWorld


@pytest.mark.slow
def test_tokens_and_sessions_on_both_databases(tmp_path: Path, database_url: str) -> None:
    world = AuthWorld(tmp_path, database_url, lists=Lists(users=("github:583231",)))
    with world.service.database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), AuthBase.metadata) == []
    session = world.service.log_in(ANN)
    made = world.ask("/tokens", bearer=_token(world, session), json={"name": "ci", "scopes": ["run"]})
    assert made.status_code == 201
    assert world.introspect(made.json["token"])["sub"] == "github:583231"
    world.wait(hours=1)
    assert world.introspect(session)["active"]
    assert world.introspect(made.json["token"])["active"]
    used = {one["name"]: one["lastUsed"] for one in _listed(world, made.json["token"])}
    assert used["ci"] == "2026-01-01T01:00:00+00:00"
    codes, person = DeviceCodes(world.service), world.service.find(session)
    assert person
    codes.add("device", "ABCD-EFGH", DeviceRequest("laptop", "127.0.0.1", frozenset({"read", "admin"})))
    code = codes.find("device")
    assert code
    assert [codes.is_too_early(code), codes.is_too_early(code), codes.take(code)] == [False, True, None]
    assert codes.answer("abcd efgh", person, allow=True)
    assert codes.answer("abcd efgh", person, allow=False) is None
    taken = codes.take(code)
    assert taken
    assert taken[1].scopes == "read"
    assert codes.take(code) is None
    world.service.log_out(session)
    assert world.introspect(session) == {"active": False}
    world.service.close()


def test_while_the_database_is_away_nobody_is_known_and_nobody_is_refused_for_good(world: AuthWorld) -> None:
    token = world.file_token("ann", "read")
    with world.service.database.write_connection() as connection:
        connection.exec_driver_sql("DROP TABLE people")
    with pytest.raises(AccountsAwayError):
        world.service.identify(token)
    for path, bearer in (("/introspect", SERVICE), ("/tokens", token)):
        answer = world.ask(path, bearer=bearer, data={"token": token})
        assert answer.status_code == 503
        assert answer.json == {"error": "the auth server's database does not answer; try again later"}
        assert answer.headers["Retry-After"] == "5"
    browser = world.browser("a session")
    assert browser.get("/auth/login").status_code in (200, 503)


def test_a_token_of_the_file_is_known_and_has_no_end(world: AuthWorld) -> None:
    token = world.file_token("ann", "read", "run")
    assert world.introspect(token) == {
        "active": True, "sub": "token:ann", "username": "ann", "name": "ann", "scope": "read run", "groups": [],
    }  # fmt: skip
    world.revoke_file_token("ann")
    assert world.introspect(token) == {"active": False}


def test_only_servers_are_told_whose_a_token_is(world: AuthWorld) -> None:
    token = world.file_token("ann", "admin")
    for bearer in ("", "wrong", token, "service-tokén"):
        answer = world.ask("/introspect", bearer=bearer, data={"token": token})
        assert (answer.status_code, list(answer.json)) == (401, ["error"])
    world.with_options(service_token="")
    assert world.ask("/introspect", bearer="", data={"token": token}).status_code == 401


def test_a_question_that_is_none_is_refused(world: AuthWorld) -> None:
    assert world.ask("/introspect", data=b"token=" + b"x" * 70_000).status_code == 413
    assert world.ask("/introspect", data=b"").json == {"active": False}
    assert world.ask("/introspect", data=b"\xff=%ff&token=%ff").json == {"active": False}
    refused = world.ask("/introspect", bearer="wrong", data={"token": "a"})
    assert refused.headers["WWW-Authenticate"] == "Bearer realm=dppctl"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("token", ["", "dppctl_", "dppctl_" + "x" * 43, "x" * 43, "\udc80", "dppctl_\x00"])
def test_what_is_no_token_is_nobodys(world: AuthWorld, token: str) -> None:
    assert world.service.identify(token) is None


def test_a_token_is_made_shown_once_listed_and_revoked(world: AuthWorld) -> None:
    mine = world.file_token("ann", "read", "run")
    made = world.ask("/tokens", bearer=mine, json={"name": "ann's laptop", "scopes": ["run", "read"], "days": 1})
    token = made.json["token"]
    assert (made.status_code, token[:7], len(token)) == (201, "dppctl_", 50)
    shape = {
        "id": made.json["id"], "name": "ann's laptop", "user": "token:ann", "login": "ann", "scopes": ["read", "run"],
        "created": "2026-01-01T00:00:00+00:00", "expires": "2026-01-02T00:00:00+00:00", "lastUsed": None,
    }  # fmt: skip
    assert made.json == {**shape, "token": token}
    assert _listed(world, mine) == [shape]
    assert world.introspect(token)["exp"] == 1767312000
    assert [one["lastUsed"] for one in _listed(world, mine)] == ["2026-01-01T00:00:00+00:00"]
    assert world.ask(f"/tokens/{made.json['id']}", bearer=mine, method="DELETE").status_code == 204
    assert world.introspect(token) == {"active": False}
    assert world.ask(f"/tokens/{made.json['id']}", bearer=mine, method="DELETE").status_code == 404


def test_a_token_that_is_over_is_refused_and_forgotten(world: AuthWorld) -> None:
    mine = world.file_token("ann", "read")
    token = world.ask("/tokens", bearer=mine, json={"name": "ci", "scopes": ["read"]}).json["token"]
    world.wait(days=89)
    assert world.introspect(token)["active"]
    world.wait(days=1)
    assert world.introspect(token) == {"active": False}
    assert _listed(world, mine) == []
    assert world.ask("/tokens", bearer=token, method="GET").status_code == 401
    world.ask("/tokens", bearer=mine, json={"name": "ci", "scopes": ["read"]})
    assert len(_rows(world, "SELECT id FROM tokens")) == 1


def test_the_use_of_a_token_is_written_down_once_a_minute(world: AuthWorld) -> None:
    mine = world.file_token("ann", "read")
    token = world.ask("/tokens", bearer=mine, json={"name": "ci", "scopes": ["read"]}).json["token"]
    seen = []
    for _ in range(4):
        world.wait(seconds=30)
        world.introspect(token)
        seen.append(_listed(world, mine)[0]["lastUsed"][11:19])
    assert seen == ["00:00:30", "00:00:30", "00:01:30", "00:01:30"]


def test_nobody_gives_a_scope_that_he_has_not(world: AuthWorld) -> None:
    mine = world.file_token("ann", "read", "run")
    answer = world.ask("/tokens", bearer=mine, json={"name": "ci", "scopes": ["run", "admin"]})
    assert (answer.status_code, answer.json["error"]) == (
        400, "scopes: you have no admin yourself, so you cannot give it",
    )  # fmt: skip


def test_a_token_can_do_no_more_than_its_person_can_now(world: AuthWorld) -> None:
    world.file_token("first", "read", "run", user="ann")
    mine = world.file_token("second", "read", user="ann")
    token = world.ask("/tokens", bearer=world.tokens["first"], json={"name": "ci", "scopes": ["read", "run"]}).json[
        "token"
    ]
    world.revoke_file_token("first")
    assert world.introspect(token)["scope"] == "read"
    world.revoke_file_token("second")
    assert world.introspect(token) == world.introspect(mine) == {"active": False}


def test_people_have_their_own_tokens_and_admins_all(world: AuthWorld) -> None:
    tokens = {name: world.file_token(name, "read", *rest) for name, rest in (("ann", []), ("root", ["admin"]))}
    made = world.ask("/tokens", bearer=tokens["ann"], json={"name": "a", "scopes": ["read"]}).json
    hers = world.ask("/tokens", bearer=tokens["root"], json={"name": "r", "scopes": ["admin"]}).json
    assert [one["name"] for one in _listed(world, tokens["ann"])] == ["a"]
    assert sorted(one["name"] for one in _listed(world, tokens["root"])) == ["a", "r"]
    assert world.ask(f"/tokens/{hers['id']}", bearer=tokens["ann"], method="DELETE").status_code == 404
    assert world.ask(f"/tokens/{made['id']}", bearer=tokens["root"], method="DELETE").status_code == 204
    assert world.introspect(made["token"]) == {"active": False}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], 'expected JSON: {"name": …, "scopes": […], "days": 90}'),
        ({"name": "a\nb", "scopes": ["read"]}, "name: expected up to 100 printable characters, such as ann's laptop"),
        ({"scopes": ["read"]}, "name: expected"),
        ({"name": "a", "scopes": []}, "scopes: expected a list of read, run, deploy, ssh, admin"),
        ({"name": "a", "scopes": ["everything"]}, "scopes: expected a list of"),
        ({"name": "a", "scopes": [[]]}, "scopes: expected a list of"),
        ({"name": "a", "scopes": ["read"], "days": 367}, "days: expected a number from 1 to 366"),
        ({"name": "a", "scopes": ["read"], "days": True}, "days: expected"),
        ({"name": "a", "scopes": ["read"], "user": "ben"}, "user: there is no such field; expected name, scopes, days"),
    ],
)
def test_a_wrong_request_for_a_token_is_one_line(world: AuthWorld, body: object, said: str) -> None:
    answer = world.ask("/tokens", bearer=world.file_token("ann", "read"), json=body)
    assert answer.status_code == 400
    assert answer.json["error"].startswith(said)
    assert _rows(world, "SELECT id FROM tokens") == []


def test_a_stolen_database_has_neither_tokens_nor_sessions(world: AuthWorld) -> None:
    world.with_options(lists=Lists(users=("github:583231",)))
    session = world.service.log_in(ANN)
    token = _token(world, session)
    content = "".join(map(str, _rows(world, "SELECT * FROM tokens, sessions, people")))
    assert "github:583231" in content
    assert token not in content
    assert session not in content


def test_who_is_taken_off_the_lists_is_refused_at_once(world: AuthWorld) -> None:
    world.with_options(lists=Lists(users=("OriHoch", "ben")))
    sessions = [world.service.log_in(person) for person in (ANN, BEN)]
    world.with_options(lists=Lists(users=("ben",)))
    assert [world.introspect(session)["active"] for session in sessions] == [False, True]


def _token(world: AuthWorld, session: str) -> str:
    from cluster.auth.tokens import TokenRequest

    found = world.service.find(session)
    assert found
    return world.service.make_token(found, TokenRequest("laptop", ("read", "run")))[0]


def _listed(world: AuthWorld, token: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = world.ask("/tokens", bearer=token, method="GET").json["tokens"]
    return listed


def _rows(world: AuthWorld, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(world.service.database.file) as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows
