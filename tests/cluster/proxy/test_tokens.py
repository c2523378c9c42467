"""Tokens of people: made, found, renewed, revoked, and those who try wrong ones."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.typing import EventDict

from bot.errors import DppctlError
from bot.kubernetes import ApiError
from cli.main import dppctl
from cluster.limits import UNKNOWN_TOKENS_A_SECOND, WRONG_TOKENS, WRONG_TOKENS_SECONDS
from cluster.proxy.authentication import WrongTokens
from cluster.proxy.refusals import of_cluster
from cluster.proxy.tokens import KnownTokens, TokenFileError, hash_of, make_token, read_tokens, write_tokens
from tests.support.stories.proxy_world import Person, ProxyWorld


def run(*words: str) -> Result:
    return CliRunner().invoke(dppctl, ["token", *words], catch_exceptions=True)


def test_a_token_is_printed_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    made = run("create", "ann's laptop", "--user", "ann", "--scope", "read", "--file", str(file))
    token = made.stdout.strip()
    assert (made.exit_code, token[:7], len(token)) == (0, "dppctl_", 50)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text()
    (record,) = json.loads(file.read_text())
    assert {**record, "created": ""} == {
        "name": "ann's laptop", "user": "token:ann", "sha256": hash_of(token), "scopes": ["read"], "created": "",
    }  # fmt: skip
    again = run("create", "ann's laptop", "--user", "ann", "--file", str(file))
    assert 'there is a token "ann\'s laptop" already' in str(again.exception)
    assert run("revoke", "ben", "--file", str(file)).exception
    assert run("list", "--file", str(file), "-o", "name").stdout == "ann's laptop\n"
    assert run("revoke", "ann's laptop", "--file", str(file)).exit_code == 0
    assert read_tokens(file) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "a\nb", "--user", "ann", "--file", "FOLDER/t"), "name 'a\\nb': "),
        (("create", "a", "--user", "ann b", "--file", "FOLDER/t"), "user 'token:ann b': "),
        (("create", "a", "--user", "ann", "--file", "FOLDER/none/t"), "FOLDER/none: No such file or directory; "),
        (("list", "--file", "FOLDER/t"), "FOLDER/t: No such file or directory"),
        (("list", "--file", "FOLDER/broken"), "FOLDER/broken: 0.scopes.0: "),
        (("revoke", "a", "--file", "FOLDER/half"), "FOLDER/half: Invalid JSON: "),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    record = make_token("a", "ann", ["read"])[1].model_dump()
    (tmp_path / "broken").write_text(json.dumps([{**record, "scopes": ["everything"]}]))
    (tmp_path / "half").write_text('[{"name": ')
    found = run(*(word.replace("FOLDER", str(tmp_path)) for word in words)).exception
    assert isinstance(found, DppctlError)
    assert str(found).startswith(said.replace("FOLDER", str(tmp_path)))
    assert "\n" not in str(found)


def test_a_change_of_the_file_holds_at_once_and_a_broken_file_changes_nothing(
    tmp_path: Path, warned: list[EventDict]
) -> None:
    file = tmp_path / "tokens.json"
    ann, ben = (make_token(name, name, ["read"]) for name in ("ann", "ben"))
    write_tokens(file, [ann[1]])
    known = KnownTokens(file)
    assert (known.find(ann[0]), known.find(ben[0]), known.find("\udcff")) == (ann[1], None, None)
    file.write_text("[{")
    assert known.find(ann[0]) == ann[1]
    file.unlink()
    assert known.find(ann[0]) == ann[1]
    assert [event["event"] for event in warned] == ["tokens stay as they were"] * 2
    write_tokens(file, [ben[1]])
    assert (known.find(ann[0]), known.find(ben[0])) == (None, ben[1])
    with pytest.raises(TokenFileError):
        KnownTokens(tmp_path / "none")


def test_who_tries_many_wrong_tokens_is_to_wait() -> None:
    now = [0.0]
    wrong = WrongTokens(lambda: now[0])
    assert [wrong.add("here") for _ in range(WRONG_TOKENS)] == [0] * WRONG_TOKENS
    assert wrong.add("here") == WRONG_TOKENS_SECONDS
    assert wrong.add("elsewhere") == 0
    now[0] = WRONG_TOKENS_SECONDS + 1
    assert wrong.add("here") == 0


def test_of_an_address_with_many_wrong_tokens_few_are_asked_about() -> None:
    now = [0.0]
    wrong = WrongTokens(lambda: now[0])
    for address in ("here", "there"):
        for _ in range(WRONG_TOKENS):
            assert wrong.may_ask(address)
            wrong.add(address)
    asked = [wrong.may_ask(address) for _ in range(1000) for address in ("here", "there")]
    assert asked.count(True) == UNKNOWN_TOKENS_A_SECOND
    assert wrong.may_ask("elsewhere")
    now[0] = 1.0
    assert wrong.may_ask("here")
    now[0] = WRONG_TOKENS_SECONDS + 1
    assert all(wrong.may_ask("here") for _ in range(100))


@pytest.mark.parametrize(
    ("status", "reason", "answered", "code"),
    [
        (403, 'pipelineruns "run-a" is forbidden: exceeded quota: few, requested: count/pipelineruns=1', 403, "quota"),
        (403, 'pipelineruns is forbidden: User "x" cannot create resource', 503, "cluster-refuses"),
        (401, "Unauthorized", 503, "cluster-refuses"),
        (422, "spec.pool: Invalid value", 400, "invalid"),
        (409, "the object has been modified", 503, "cluster-refuses"),
    ],
)
def test_what_kubernetes_refuses_is_one_line(status: int, reason: str, answered: int, code: str) -> None:
    refusal = of_cluster(ApiError(f"the cluster refused: {reason}", status, reason))
    assert (refusal.status, refusal.code) == (answered, code)
    assert reason in str(refusal)


@pytest.mark.needs("an API server")
def test_a_refusal_says_which_scope_is_missing(proxy: ProxyWorld) -> None:
    reader = proxy.person("ann", ("read",))
    answer = reader.ask("POST", "/v1/runs", json={})
    assert answer.status_code == 403
    assert answer.json()["error"].endswith("has no scope run; it has read")
    assert 'error="insufficient_scope", scope="run"' in answer.headers["WWW-Authenticate"]
    assert proxy.person("ann", ("run",)).get("/v1/cluster")["scopes"] == ["run"]  # so that it can be logged in with
    assert Person(proxy.url).get("/v1/login") == {
        "mode": "token",
        "url": "",
        "public": False,
    }  # for who has no token yet
    for method, path in (("GET", "/v1/pods/a/exec"), ("HEAD", f"/v1/workloads/{'0' * 64}")):
        assert reader.ask(method, path).status_code == 403
    for person in (Person(proxy.url), Person(proxy.url, "dppctl_wrong")):
        answer = person.ask("GET", "/v1/cluster")
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    stranger = Person(proxy.url, "wrong")
    statuses = [stranger.ask("GET", "/v1/cluster").status_code for _ in range(WRONG_TOKENS)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert reader.ask("GET", "/v1/cluster").status_code == 200
