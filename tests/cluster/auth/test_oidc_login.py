"""Login at a provider of OpenID Connect: a real one on loopback, and tokens that are not right."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from authlib.integrations.flask_client import OAuthError
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from oidc_provider_mock import User, run_server_in_thread
from werkzeug.test import TestResponse

from cluster.auth.admission import Lists
from cluster.auth.options import OAuthProvider
from cluster.auth.people import ProvenIdentity
from cluster.auth.providers import identity_of
from tests.support.auth import PUBLIC, AuthWorld, Browser
from tests.support.github.app import key_pair
from tests.support.serving import Reply, Request, serving

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the provider's own

ANN = User(sub="ann-1", claims={"email": "ann@example.org", "email_verified": True, "preferred_username": "ann"})
BEN = User(sub="ben-2", claims={"email": "ben@example.org", "email_verified": False, "preferred_username": "ann"})


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Where the provider is."""
    with run_server_in_thread(require_nonce=True, user_claims=(ANN, BEN)) as server:
        yield f"http://localhost:{server.server_port}"


def world_at(folder: Path, provider: str, **options: Any) -> AuthWorld:
    metadata = f"{provider}/.well-known/openid-configuration"
    app = OAuthProvider("oidc", "Example", "dppctl", "secret", metadata)
    return AuthWorld(folder, mode="oauth", providers=(app,), **options)


@pytest.fixture
def world(tmp_path: Path, provider: str) -> Iterator[AuthWorld]:
    """Whoever has a verified address of example.org gets in."""
    world = world_at(tmp_path, provider, lists=Lists(domains=("example.org",)))
    yield world
    world.service.close()


def leave(browser: Browser, person: str) -> str:
    browser.get("/auth/login")
    there = browser.get("/auth/login/oidc", next="/apps").headers["Location"]
    back = requests.post(there, data={"sub": person}, allow_redirects=False, timeout=10).headers["Location"]
    return back.removeprefix(PUBLIC)


def log_in(browser: Browser, person: str) -> TestResponse:
    return browser.get(leave(browser, person))


def test_who_logs_in_is_known_by_the_subject_and_in_the_domain_of_a_verified_address(world: AuthWorld) -> None:
    browser = world.browser()
    assert "Log in with Example" in browser.get("/auth/login").text
    answer = log_in(browser, "ann-1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/apps")
    account = world.service.identify(browser.session)
    assert account
    assert (account.user, account.login) == ("oidc:ann-1", "ann@example.org")
    assert account.groups == {"domain:example.org"}


def test_an_address_that_is_not_verified_is_nobodys(world: AuthWorld) -> None:
    browser = world.browser()
    answer = log_in(browser, "ben-2")
    assert (answer.status_code, browser.session) == (403, "")
    assert "ann (oidc:ben-2) is on no list" in answer.text
    world.with_options(lists=Lists(users=("ann", "ben@example.org")))  # which ben could call himself
    assert log_in(world.browser(), "ben-2").status_code == 403
    world.with_options(lists=Lists(users=("oidc:ben-2",)))
    assert log_in(world.browser(), "ben-2").status_code == 303


def test_a_code_counts_once_and_in_its_browser_alone(world: AuthWorld) -> None:
    browser = world.browser()
    back = leave(browser, "ann-1")
    assert world.browser().get(back).status_code == 400
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 400


def test_denied_is_told(world: AuthWorld) -> None:
    browser = world.browser()
    there = browser.get("/auth/login/oidc").headers["Location"]
    back = requests.post(there, data={"action": "deny"}, allow_redirects=False, timeout=10).headers["Location"]
    answer = browser.get(back.removeprefix(PUBLIC))
    assert answer.status_code == 400
    assert "the login at Example was refused there" in answer.text


def test_a_provider_that_is_away_or_says_nonsense_is_503(tmp_path: Path) -> None:
    world = world_at(tmp_path, "http://127.0.0.1:1")
    assert world.browser().get("/auth/login/oidc").status_code == 503
    world.service.close()
    for body in (b"no json", b"{}"):
        with serving(lambda _, body=body: Reply(200, body=body)) as address:
            world = world_at(tmp_path, f"http://{address}")
            assert world.browser().get("/auth/login/oidc").status_code == 503
            world.service.close()


class Forger:
    """A provider whose ID tokens are as a test wants them; `sign` gets what an honest one says."""

    def __init__(self) -> None:
        self.private, public = key_pair()
        self.jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(_load(public), as_dict=True), "kid": "1", "use": "sig"}
        self.address = self.nonce = ""
        self.be_honest()

    def be_honest(self) -> None:
        self.changes: dict[str, Any] = {}
        self.key: str | None = None
        self.algorithm = "RS256"
        self.leave_out_token = False

    def answer(self, request: Request) -> Reply:
        issuer = f"http://{self.address}"
        if request.path == "/.well-known/openid-configuration":
            return _json(
                issuer=issuer, authorization_endpoint=f"{issuer}/authorize", token_endpoint=f"{issuer}/token",
                jwks_uri=f"{issuer}/jwks", id_token_signing_alg_values_supported=["RS256"],
            )  # fmt: skip
        if request.path == "/jwks":
            return _json(keys=[self.jwk])
        now = int(time.time())
        claims = {
            "iss": issuer, "aud": "dppctl", "sub": "ann-1", "iat": now, "exp": now + 60, "nonce": self.nonce,
            "email": "ann@example.org", "email_verified": True, **self.changes,
        }  # fmt: skip
        key = self.private if self.key is None else self.key
        token = jwt.encode(claims, key, self.algorithm, headers={"kid": "1"})
        return _json(access_token="a", token_type="Bearer", **({} if self.leave_out_token else {"id_token": token}))


@pytest.fixture
def forger() -> Iterator[Forger]:
    forger = Forger()
    with serving(forger.answer) as address:
        forger.address = address
        yield forger


def come_back(world: AuthWorld, forger: Forger) -> tuple[int, str]:
    browser = world.browser()
    query = parse_qs(urlsplit(browser.get("/auth/login/oidc").headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    forger.nonce = query["nonce"][0]
    answer = browser.get(f"/auth/callback/oidc?code=a&state={query['state'][0]}")
    return answer.status_code, browser.session


def test_an_honest_token_lets_in_and_no_other_does(tmp_path: Path, forger: Forger) -> None:
    world = world_at(tmp_path, f"http://{forger.address}", lists=Lists(users=("oidc:ann-1",)))
    status, session = come_back(world, forger)
    assert status == 303
    assert session
    another = key_pair()[0]
    forged: list[dict[str, Any]] = [
        {"changes": {"iss": "http://evil.example"}},
        {"changes": {"aud": "another client"}},
        {"changes": {"nonce": "of another login"}},
        {"changes": {"nonce": None}},
        {"changes": {"exp": int(time.time()) - 600}},
        {"changes": {"sub": ""}},
        {"changes": {"sub": "a b"}},
        {"changes": {"sub": 7}},
        {"key": another},
        {"key": "", "algorithm": "none"},
        {"key": "a secret that is as long as one should be", "algorithm": "HS256"},
        {"leave_out_token": True},
    ]
    for changes in forged:
        for name, value in {
            "changes": {},
            "key": None,
            "algorithm": "RS256",
            "leave_out_token": False,
            **changes,
        }.items():
            setattr(forger, name, value)
        status, session = come_back(world, forger)
        assert (status, session) == (400, ""), changes
    world.service.close()


GOOGLE = {"sub": "117", "email": "ann@example.org", "email_verified": True}


@pytest.mark.parametrize(
    ("name", "claims", "expected"),
    [
        ("google", {**GOOGLE, "hd": "Example.org"}, ("google:117", "ann@example.org", {"domain:example.org"}, True)),
        ("google", GOOGLE, ("google:117", "ann@example.org", set(), True)),  # somebody's own account, of that address
        ("google", {**GOOGLE, "hd": 7}, ("google:117", "ann@example.org", set(), True)),
        ("oidc", {**GOOGLE, "hd": "evil.example"}, ("oidc:117", "ann@example.org", {"domain:example.org"}, True)),
        ("oidc", {**GOOGLE, "email_verified": "true"}, ("oidc:117", "ann@example.org", set(), False)),
        ("oidc", {"sub": "117", "email_verified": True}, ("oidc:117", "117", set(), False)),
        ("oidc", {"sub": "1", "name": "a\x00b\u202ec\n"}, ("oidc:1", "abc", set(), False)),
        ("oidc", {"sub": "1", "preferred_username": "OriHoch"}, ("oidc:1", "OriHoch", set(), False)),
    ],
)
def test_what_claims_say_of_a_person(name: str, claims: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = identity_of(name, claims)
    assert (found.user, found.login, set(found.groups), found.is_login_proven) == expected
    assert isinstance(found, ProvenIdentity)


@pytest.mark.parametrize("subject", [None, "", 7, "a b", "a:b", "x" * 256, "a\n"])
def test_without_a_subject_nobody_is_known(subject: object) -> None:
    with pytest.raises(OAuthError):
        identity_of("oidc", {"sub": subject})


def _load(public: str) -> Any:
    return load_pem_public_key(public.encode())


def _json(**body: object) -> Reply:
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(body).encode())
