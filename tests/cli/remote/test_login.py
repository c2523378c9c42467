"""`dppctl login`, `logout` and `token` where an auth server knows people: its own application, a proxy, a person."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from cli.remote.tokens import keep_token, kept_token
from tests.support.auth import AuthWorld
from tests.support.auth_server import ServedAuth
from tests.support.stories.proxy_world import AuthPlace, ProxyWorld

pytestmark = pytest.mark.needs("an API server")
Person = Callable[..., str]


@pytest.fixture(scope="module")
def auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedAuth]:
    world = AuthWorld(tmp_path_factory.mktemp("auth"), mode="token")
    with closing(world.service), ServedAuth(world).running() as served:
        yield served


@pytest.fixture(scope="module")
def office(auth: ServedAuth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyWorld]:
    """A proxy that asks it."""
    folder = tmp_path_factory.mktemp("proxy")
    place = AuthPlace(auth.url)
    world = ProxyWorld(folder, os.environ["DPPCTL_TEST_KUBECONFIG"], "default", "http://127.0.0.1:9", place)
    with world.running():
        yield world


@pytest.fixture
def known(office: ProxyWorld, settings_folder: Path) -> None:
    """The proxy is the cluster that the person has chosen."""
    assert settings_folder
    add_cluster(NamedCluster("office", office.url))
    use_cluster("office")


@pytest.mark.usefixtures("known")
def test_tokens_of_ones_own_are_made_listed_and_revoked(auth: ServedAuth, person: Person) -> None:
    keep_token("office", auth.world.file_token("ann", "read", "run"))
    made = person("token", "create", "ci", "--scope", "read", "--scope", "run", "--days", "30")
    assert made.startswith("The token 'ci' (read, run) until 2026-01-31; it is shown this once:\ndppctl_")
    token = made.splitlines()[1]
    head, row = person("token", "list").splitlines()
    assert head.split() == ["ID", "NAME", "USER", "SCOPES", "CREATED", "LAST", "USED", "ENDS"]
    assert row.split()[1:] == ["ci", "ann", "read,run", "2026-01-01", "never", "2026-01-31"]
    (shown,) = json.loads(person("token", "list", "-o", "json"))
    assert (shown["id"], shown["user"], "token" in shown) == (row.split()[0], "token:ann", False)
    assert person("token", "create", "all", "--scope", "ssh").startswith("refused: scopes: you have no ssh yourself")
    assert person("token", "create", "a", "--user", "ben").startswith("refused: --user goes with --file")
    assert person("token", "revoke", "other") == "refused: you have no token 'other'; `dppctl token list` has them"

    said = person("login", "--with-token", stdin=f"{token}\n")
    assert said.startswith("Logged in to office as token:ann (read, run)\n")
    assert person("logout") == "Logged out of office: its token is revoked, and forgotten here\n"
    assert auth.world.introspect(token) == {"active": False}
    assert kept_token("office") == ""
    keep_token("office", auth.world.tokens["ann"])
    for _ in range(2):
        assert "dppctl_" in person("token", "create", "ci", "--scope", "read")
    assert person("token", "revoke", "ci").startswith("refused: there are 2 tokens 'ci'; name one by its id: ")
    for each in json.loads(person("token", "list", "-o", "json")):
        assert person("token", "revoke", each["id"]) == "The token 'ci' is revoked\n"
    assert person("logout").endswith("forgotten here; whoever made it can revoke it\n")


@pytest.mark.usefixtures("known")
def test_a_token_that_nobody_knows_is_told_and_forgotten(person: Person) -> None:
    keep_token("office", "dppctl_of-nobody")
    assert person("token", "list").endswith("(`dppctl login office` gets another token)")
    assert person("logout").endswith("its token is forgotten here; it was worth nothing any more\n")
