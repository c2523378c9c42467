"""What the client makes of answers that docker-registry does not give, but others do."""

import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.images.registry.errors import RegistryAwayError, RegistryError
from bot.images.registry.transport import Transport
from tests.support.registry_answers import DIGEST, HELD, MANIFEST, ON_LOOPBACK, TYPE, app, auth_file, behind_a_password
from tests.support.registry_answers import client as registry_client
from tests.support.serving import Reply, Request, serving


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_registry_that_is_overloaded_is_away(status: int) -> None:
    with serving(lambda _: Reply(status)) as host, pytest.raises(RegistryAwayError, match=f"^{host} answers {status}$"):
        registry_client().digest(app(host))


def test_a_registry_that_never_answers_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RegistryAwayError, match=f"^{host} is away: Read timed out"):
            registry_client(seconds=0.05).digest(app(host))


def test_an_answer_that_breaks_off_is_not_hashed() -> None:
    broken = Reply(200, {"Content-Length": "100", **TYPE}, MANIFEST)
    with (
        serving(lambda _: broken) as host,
        pytest.raises(RegistryAwayError, match=rf"^{host} is away: IncompleteRead\([^()]*\)$"),
    ):
        registry_client().digest(app(host))


def test_a_registry_without_tls_that_is_asked_with_tls_is_away_with_a_hint() -> None:
    with serving(lambda _: HELD) as host, pytest.raises(RegistryAwayError, match=r"is away: \[SSL: .*without TLS"):
        Transport(frozenset(), 10, listed=ON_LOOPBACK).request("GET", f"https://{host}/v2/", {}, {})


@pytest.mark.needs("openssl")
def test_a_registry_of_ones_own_authority_is_known_by_its_file_and_only_that_one(tmp_path: Path) -> None:
    key, certificate, both = (tmp_path / name for name in ("key", "ca.crt", "both"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ours", "-days", "2"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    with serving(lambda _: HELD, both) as host:
        url = f"https://{host}/v2/"
        assert Transport(frozenset(), 10, (host, certificate), ON_LOOPBACK).request("GET", url, {}, {}).status == 200
        for ca in (None, ("registry.example.org", certificate)):
            with pytest.raises(RegistryAwayError, match="certificate verify failed"):
                Transport(frozenset(), 10, ca, ON_LOOPBACK).request("GET", url, {}, {})


def test_a_redirect_does_not_carry_the_credentials_to_another_host(tmp_path: Path) -> None:
    seen = []

    def storage(request: Request) -> Reply:
        seen.append(request.authorization)
        return HELD

    with ExitStack() as ends:
        elsewhere = ends.enter_context(serving(storage))
        to_storage = Reply(307, {"Location": f"http://{elsewhere}/held"})
        host = ends.enter_context(serving(behind_a_password(to_storage)))
        assert registry_client(auth_file(tmp_path, host)).digest(app(host)) == DIGEST
    assert seen == [None]


@pytest.mark.parametrize(
    "location",
    ["http://registry.invalid/", "ftp://registry.invalid/", "http://[/", "https:///", f"https://{'x' * 64}.invalid/"],
)
def test_a_redirect_that_is_unsafe_or_nonsense_is_not_followed(location: str) -> None:
    reply = Reply(307, {"Location": location + "?signature=s3cret"})
    with serving(lambda _: reply) as host, pytest.raises(RegistryError) as refused:
        registry_client().digest(app(host))
    assert not isinstance(refused.value, RegistryAwayError)
    assert "s3cret" not in str(refused.value)


def test_neither_a_proxy_nor_a_netrc_file_comes_between_us_and_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(lambda request: Reply(404) if request.authorization else HELD) as host:
        assert registry_client().digest(app(host)) == DIGEST


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
        client = registry_client(auth_file(tmp_path, registry), plain_http=frozenset({registry}), listed={registry})
        assert client.digest(app(registry)) == DIGEST
