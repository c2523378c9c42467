"""How the client logs in, and what it says when that is in vain."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.images.registry.auth import challenges
from bot.images.registry.errors import RegistryDeniedError, RegistryError
from tests.support.registry_answers import DIGEST, HELD, app, auth_file
from tests.support.registry_answers import client as registry_client
from tests.support.serving import Reply, Request, serving


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_way_to_log_in_is_a_denial(status: int) -> None:
    with serving(lambda _: Reply(status)) as host, pytest.raises(RegistryDeniedError, match="ann/app"):
        registry_client().digest(app(host))


def test_a_password_is_not_sent_to_a_token_server_without_tls(tmp_path: Path) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://tokens.invalid/token",service="x"'}
    with (
        serving(lambda _: Reply(401, challenge)) as host,
        pytest.raises(RegistryError, match=r"tokens\.invalid .* TLS"),
    ):
        registry_client(auth_file(tmp_path, host)).digest(app(host))


@pytest.mark.parametrize(
    ("challenge", "answer"),
    [
        ("Bearer service=x", Reply(200)),
        ('Bearer realm="file:///etc/passwd"', Reply(200)),
        ('Bearer realm="http://{host}/token"', Reply(200, body=b"{}")),
        ('Bearer realm="http://{host}/token"', Reply(200, body=b"<html>")),
        ('Bearer realm="http://{host}/token"', Reply(404)),
    ],
)
def test_a_token_server_that_gives_no_token_is_an_error_in_one_line(challenge: str, answer: Reply) -> None:
    def registry(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return answer
        return Reply(401, {"WWW-Authenticate": challenge.format(host=host)})

    with serving(registry) as host, pytest.raises(RegistryError, match=r"^[^\n]* token[^\n]*$"):
        registry_client().digest(app(host))


def test_a_token_by_its_other_name_is_taken_and_one_that_was_revoked_got_anew() -> None:
    given: list[str] = []

    def registry(request: Request) -> Reply:
        if request.path.startswith("/token"):
            given.append(f"t{len(given)}")
            return Reply(200, body=json.dumps({"access_token": given[-1]}).encode())
        valid = given and request.authorization == f"Bearer {given[-1]}"
        return HELD if valid else Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})

    with serving(registry) as host:
        client = registry_client()
        assert client.digest(app(host)) == DIGEST
        given.append("which revokes t0")
        assert client.digest(app(host)) == DIGEST
    assert given == ["t0", "which revokes t0", "t2"]


@pytest.mark.parametrize("refusal", [Reply(400), Reply(403), Reply(401)])
def test_a_kept_token_that_is_refused_without_a_challenge_is_got_anew(refusal: Reply) -> None:
    given: list[str] = []

    def registry(request: Request) -> Reply:
        if request.path.startswith("/token"):
            given.append(f"t{len(given)}")
            return Reply(200, body=json.dumps({"token": given[-1], "expires_in": 300}).encode())
        if request.authorization is None:
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})
        return HELD if request.authorization == f"Bearer {given[-1]}" else refusal

    with serving(registry) as host:
        client = registry_client()
        assert client.digest(app(host)) == DIGEST
        given.append("which revokes t0")
        assert client.digest(app(host)) == DIGEST
    assert given == ["t0", "which revokes t0", "t2"]


def test_a_token_that_a_registry_never_takes_is_not_kept() -> None:
    asked: list[str | None] = []

    def registry(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, body=b'{"token": "t", "expires_in": 300}')
        asked.append(request.authorization)
        return Reply(400 if request.authorization else 401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})

    with serving(registry) as host:
        client = registry_client()
        for _ in range(2):
            with pytest.raises(RegistryError, match="answers 400"):
                client.digest(app(host))
    assert asked == [None, "Bearer t"] * 2


@pytest.mark.parametrize(
    "token",
    [
        {"token": None, "access_token": "t"},
        {"token": "t", "access_token": None, "expires_in": None, "issued_at": None},
        {"token": "t", "expires_in": "300"},
    ],
)
def test_what_is_null_in_a_tokens_answer_is_as_good_as_left_out(token: dict[str, object]) -> None:
    def registry(request: Request) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, body=json.dumps(token).encode())
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{host}/token"'}
        return HELD if request.authorization == "Bearer t" else Reply(401, challenge)

    with serving(registry) as host:
        assert registry_client().digest(app(host)) == DIGEST


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(403), "without asking for a login"),
        (Reply(401), "without saying how to log in"),
        (Reply(401, {"WWW-Authenticate": "Negotiate"}), "but by negotiate"),
    ],
)
def test_who_cannot_log_in_is_not_told_to(tmp_path: Path, reply: Reply, words: str) -> None:
    with serving(lambda _: reply) as host:
        for client in (registry_client(), registry_client(auth_file(tmp_path, host))):
            with pytest.raises(RegistryDeniedError, match=f"{host} .*ann/app.* {words}") as refused:
                client.digest(app(host))
            assert "skopeo login" not in str(refused.value)


def test_several_challenges_in_one_header_are_told_apart() -> None:
    header = r'Negotiate, BEARER Realm = "https://a/b?c=d,e", service=x,scope="p \"q\"" , Basic realm="Basic x=y"'
    assert challenges(header) == {
        "negotiate": {},
        "bearer": {"realm": "https://a/b?c=d,e", "service": "x", "scope": 'p "q"'},
        "basic": {"realm": "Basic x=y"},
    }


@given(st.text(alphabet='aB ,="\\\n;:/', max_size=60))
def test_no_header_makes_the_reading_of_challenges_fail(header: str) -> None:
    assert all(scheme == scheme.lower() for scheme in challenges(header))
