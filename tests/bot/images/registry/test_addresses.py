"""Which hosts dppctl asks for images: those that are listed, and nothing on this machine that is not."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.images.registry.addresses import is_inner
from bot.images.registry.auth import same_site
from bot.images.registry.client import Registry
from bot.images.registry.errors import RegistryDeniedError
from bot.images.registry.transport import Transport
from bot.model.image_reference import Hosts
from bot.settings import load_settings
from tests.support.registry_answers import HELD, app
from tests.support.serving import Reply, Request, serving


@contextmanager
def counting(reply: Reply) -> Iterator[tuple[str, list[Request]]]:
    """A server, and what it is asked."""
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return reply

    with serving(answer) as host:
        yield host, asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "::", "localhost"],
)
def test_this_machine_and_its_link_are_inner(address: str) -> None:
    assert is_inner(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "ghcr.io", "127.0.0.1.example.org"])
def test_others_are_not(address: str) -> None:
    assert not is_inner(address)


def test_a_registry_that_is_not_listed_is_not_asked() -> None:
    with counting(HELD) as (host, asked), pytest.raises(RegistryDeniedError, match=r"asks no registry 127.*IMAGE_REG"):
        Registry(listed={"docker.io"}).digest(app(host))
    assert asked == []


def test_a_redirect_leads_to_no_port_of_this_machine() -> None:
    with counting(HELD) as (inner, asked):
        for target in (inner, inner.replace("127.0.0.1", "localhost")):
            redirect = Reply(307, {"Location": f"http://{target}/v2/x"})
            with serving(lambda _, to=redirect: to) as host, pytest.raises(RegistryDeniedError, match="does not ask"):
                Registry(listed={host}).digest(app(host))
    assert asked == []


def test_a_name_that_leads_to_this_machine_is_not_asked_unless_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name's answer is what a DNS server of an attacker would give."""
    real = socket.getaddrinfo

    def resolve(host: str, *more: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "registry.example.org" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    with counting(HELD) as (host, asked):
        name = f"registry.example.org:{host.rpartition(':')[2]}"
        with pytest.raises(RegistryDeniedError, match=f"^{name} is at an address of this machine"):
            Transport(frozenset({name}), 10).request("GET", f"http://{name}/v2/", {}, {})
        assert asked == []
        assert (
            Transport(frozenset({name}), 10, listed={name}).request("GET", f"http://{name}/v2/", {}, {}).status == 200
        )


@pytest.mark.parametrize("realm", ["http://{inner}/token", "https://{inner}/token", "https://tokens.example.org/token"])
def test_a_token_is_asked_for_at_the_registrys_own_site_only(realm: str) -> None:
    with counting(Reply(200, body=b'{"token": "t"}')) as (inner, asked):
        challenge = {"WWW-Authenticate": f'Bearer realm="{realm.format(inner=inner)}"'}
        refused = pytest.raises(RegistryDeniedError, match="DPPCTL_IMAGE_REGISTRIES")
        with serving(lambda _: Reply(401, challenge)) as host, refused:
            Registry(listed={host}).digest(app(host))
    assert asked == []


@pytest.mark.parametrize(
    ("realm", "registry", "same"),
    [
        ("https://auth.docker.io/token", "docker.io", True),
        ("https://ghcr.io/token", "ghcr.io", True),
        ("https://gitlab.com/jwt/auth", "registry.gitlab.com", True),
        ("https://registry.example.org:8443/t", "registry.example.org:5000", True),
        ("https://docker.io.example.org/token", "docker.io", False),
        ("https://evildocker.io/token", "docker.io", False),
        ("https://docker.io@example.org/token", "docker.io", False),
        ("https://org/token", "registry.example.org", False),
    ],
)
def test_a_site_is_a_host_and_what_is_below_it(realm: str, registry: str, same: bool) -> None:
    assert same_site(urlsplit(realm), registry) == same


def test_the_settings_list_dppctls_own_registry_and_the_usual_ones(tmp_path: Path) -> None:
    own = {"DPPCTL_REGISTRY": "127.0.0.1:5000/apps"}
    usual = {"docker.io", "ghcr.io", "quay.io", "127.0.0.1:5000"}
    assert load_settings(tmp_path, own, receives=False).images.listed_registries.names == usual
    given = own | {"DPPCTL_IMAGE_REGISTRIES": "Registry.example.org, localhost:5001"}
    named = {"registry.example.org", "localhost:5001", "127.0.0.1:5000", "docker.io"}  # the last for the base image
    assert "localhost:5001" in Hosts(frozenset({"localhost"}))
    assert "localhost" not in Hosts(frozenset({"localhost:5001"}))
    assert load_settings(tmp_path, given, receives=False).images.listed_registries.names == named
