"""What the client makes of answers that docker-registry does not give, but others do."""

import hashlib
import json
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.images.registry.auth import challenges
from bot.images.registry.client import Registry
from bot.images.registry.errors import RegistryAwayError, RegistryDeniedError, RegistryError
from bot.images.registry.transport import Transport
from bot.model.image_reference import Reference
from tests.support.serving import Reply, Request, serving
from tests.support.token_server import BASIC, PASSWORD, USER

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
HELD = Reply(200, {"Docker-Content-Digest": DIGEST}, MANIFEST)


def app(host: str) -> Reference:
    return Reference.parse(f"{host}/ann/app:1")


def auth_file(folder: Path, host: str) -> Path:
    path = folder / "auth.json"
    path.write_text(json.dumps({"auths": {f"http://{host}/v1/": {"username": USER, "password": PASSWORD}}}))
    return path


@pytest.mark.parametrize("headers", [{}, {"Docker-Content-Digest": "sha256:nonsense"}])
def test_a_registry_that_does_not_tell_the_digest_has_its_bytes_hashed(headers: dict[str, str]) -> None:
    with serving(lambda _: Reply(200, headers, MANIFEST)) as host:
        assert Registry().digest(app(host)) == DIGEST


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_registry_that_is_overloaded_is_away(status: int) -> None:
    with serving(lambda _: Reply(status)) as host, pytest.raises(RegistryAwayError, match=f"^{host} answers {status}$"):
        Registry().digest(app(host))


def test_a_registry_that_never_answers_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RegistryAwayError, match=f"^{host} is away: Read timed out"):
            Registry(seconds=0.05).digest(app(host))


def test_an_answer_that_breaks_off_is_not_hashed() -> None:
    broken = Reply(200, {"Content-Length": "100"}, MANIFEST)
    with (
        serving(lambda _: broken) as host,
        pytest.raises(RegistryAwayError, match=rf"^{host} is away: IncompleteRead\([^()]*\)$"),
    ):
        Registry().digest(app(host))


def test_a_registry_without_tls_that_is_asked_with_tls_is_away_with_a_hint() -> None:
    with serving(lambda _: HELD) as host, pytest.raises(RegistryAwayError, match=r"is away: \[SSL: .*without TLS"):
        Transport(frozenset(), 10).request("GET", f"https://{host}/v2/", {}, {})


@pytest.mark.needs("openssl")
def test_a_registry_of_ones_own_authority_is_known_by_its_file_and_only_that_one(tmp_path: Path) -> None:
    key, certificate, both = (tmp_path / name for name in ("key", "ca.crt", "both"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ours", "-days", "2"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    with serving(lambda _: HELD, both) as host:
        url = f"https://{host}/v2/"
        assert Transport(frozenset(), 10, (host, certificate)).request("GET", url, {}, {}).status == 200
        for ca in (None, ("registry.example.org", certificate)):
            with pytest.raises(RegistryAwayError, match="certificate verify failed"):
                Transport(frozenset(), 10, ca).request("GET", url, {}, {})


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_way_to_log_in_is_a_denial(status: int) -> None:
    with serving(lambda _: Reply(status)) as host, pytest.raises(RegistryDeniedError, match="ann/app"):
        Registry().digest(app(host))


def test_what_is_no_registry_is_an_error_in_one_line() -> None:
    with serving(lambda _: Reply(400)) as host, pytest.raises(RegistryError, match=r"answers 400 .* is it a registry"):
        Registry().digest(app(host))


def test_content_that_is_not_what_was_asked_for_is_not_believed() -> None:
    with serving(lambda _: Reply(200, body=b'{"config": {}}')) as host:
        with pytest.raises(RegistryError, match="something else"):
            Registry().labels(app(host).with_digest(DIGEST))
        with pytest.raises(RegistryError, match=r"cannot be read: config\.digest"):
            Registry().labels(app(host))


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with serving(lambda _: Reply(200, body=b" " * (4 * 2**20 + 1))) as host, pytest.raises(RegistryError, match="4 MB"):
        Registry().labels(app(host))


def behind_a_password(reply: Reply) -> Callable[[Request], Reply]:
    """Gives the reply to those who show the password."""
    refused = Reply(401, {"WWW-Authenticate": "Basic realm=x"})
    return lambda request: reply if request.authorization == BASIC else refused


def test_a_redirect_does_not_carry_the_credentials_to_another_host(tmp_path: Path) -> None:
    seen = []

    def storage(request: Request) -> Reply:
        seen.append(request.authorization)
        return HELD

    with ExitStack() as ends:
        elsewhere = ends.enter_context(serving(storage))
        to_storage = Reply(307, {"Location": f"http://{elsewhere}/held"})
        host = ends.enter_context(serving(behind_a_password(to_storage)))
        assert Registry(auth_file(tmp_path, host)).digest(app(host)) == DIGEST
    assert seen == [None]


@pytest.mark.parametrize(
    "location",
    ["http://registry.invalid/", "ftp://registry.invalid/", "http://[/", "https:///", f"https://{'x' * 64}.invalid/"],
)
def test_a_redirect_that_is_unsafe_or_nonsense_is_not_followed(location: str) -> None:
    reply = Reply(307, {"Location": location + "?signature=s3cret"})
    with serving(lambda _: reply) as host, pytest.raises(RegistryError) as refused:
        Registry().digest(app(host))
    assert not isinstance(refused.value, RegistryAwayError)
    assert "s3cret" not in str(refused.value)


def test_a_password_is_not_sent_to_a_token_server_without_tls(tmp_path: Path) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://tokens.invalid/token",service="x"'}
    with (
        serving(lambda _: Reply(401, challenge)) as host,
        pytest.raises(RegistryError, match=r"tokens\.invalid .* TLS"),
    ):
        Registry(auth_file(tmp_path, host)).digest(app(host))


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
        Registry().digest(app(host))


def test_a_token_by_its_other_name_is_taken_and_one_that_was_revoked_got_anew() -> None:
    given: list[str] = []

    def registry(request: Request) -> Reply:
        if request.path.startswith("/token"):
            given.append(f"t{len(given)}")
            return Reply(200, body=json.dumps({"access_token": given[-1]}).encode())
        valid = given and request.authorization == f"Bearer {given[-1]}"
        return HELD if valid else Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})

    with serving(registry) as host:
        client = Registry()
        assert client.digest(app(host)) == DIGEST
        given.append("which revokes t0")
        assert client.digest(app(host)) == DIGEST
    assert given == ["t0", "which revokes t0", "t2"]


def test_neither_a_proxy_nor_a_netrc_file_comes_between_us_and_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(lambda request: Reply(404) if request.authorization else HELD) as host:
        assert Registry().digest(app(host)) == DIGEST


def test_other_hosts_are_asked_through_the_proxy_with_our_credentials_not_those_of_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    registry = "registry.invalid:5000"
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(behind_a_password(HELD)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy}")
        client = Registry(auth_file(tmp_path, registry), plain_http=frozenset({registry}))
        assert client.digest(app(registry)) == DIGEST


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
