"""What environments publish, over HTTP. That deployments publish it is in test_sync.py."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from cluster.errors import ClusterError
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.storage_server import Storages
from tests.support.world import PRODUCTION, STAGING


@pytest.fixture
def environment(tmp_path: Path) -> LocalEnvironment:
    return LocalEnvironment(environment_folder(tmp_path, STAGING))


@pytest.fixture
def storages(tmp_path: Path) -> Iterator[Storages]:
    storages = Storages(0, tmp_path, [STAGING, PRODUCTION])
    yield storages
    storages.close()


def publish(environment: LocalEnvironment, site: str) -> None:
    """Make a release current that has a site, as a deployment does."""
    release = environment.begin(threading.Event())
    release.work_database.touch()
    release.storage.mkdir()
    (release.storage / "index.html").write_text(site)
    environment.switch(release)


def test_what_is_current_is_served(environment: LocalEnvironment, storages: Storages) -> None:
    url = storages.url(STAGING)
    assert requests.get(url, timeout=60).status_code == 404
    for site in ("the site", "another site"):
        publish(environment, site)
        assert requests.get(url, timeout=60).text == site
    assert requests.get(storages.url(PRODUCTION), timeout=60).status_code == 404


def test_nothing_beside_the_storage_is_served(environment: LocalEnvironment, storages: Storages) -> None:
    publish(environment, "the site")
    (environment.folder / "last.json").write_text("{}")
    url = storages.url(STAGING)
    for path in ("../data.sqlite", "%2e%2e/data.sqlite", "..%2fdata.sqlite", "../../last.json", "/", "/ann+app/"):
        session = requests.Session()
        asked = requests.Request("GET", url).prepare()
        asked.url = url + path if not path.startswith("/") else url.partition("/ann")[0] + path
        assert session.send(asked, timeout=60).status_code == 404, path


def test_people_reach_it_at_another_url(environment: LocalEnvironment, tmp_path: Path) -> None:
    publish(environment, "the site")
    with closing(Storages(0, tmp_path, [STAGING], url="https://data.example.org/public")) as storages:
        assert storages.url(STAGING) == "https://data.example.org/public/ann+app/staging/"
        here = f"http://127.0.0.1:{storages.port}"
        for path in ("/public/ann+app/staging/", "/ann+app/staging/"):
            assert requests.get(here + path, headers={"Host": "data.example.org"}, timeout=60).text == "the site"
        assert requests.get(f"{here}/ann+app/staging/", headers={"Host": "evil.example"}, timeout=60).status_code == 403


def test_all_addresses_of_the_machine_are_shown_as_this_one(environment: LocalEnvironment, tmp_path: Path) -> None:
    publish(environment, "the site")
    with closing(Storages(0, tmp_path, [STAGING], host="0.0.0.0")) as storages:
        assert requests.get(storages.url(STAGING), timeout=60).text == "the site"
        found = requests.get(storages.url(STAGING), headers={"Host": "data.example.org"}, timeout=60)
        assert found.status_code == 200


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ClusterError, match="DPPCTL_STORAGE_PORT"):
        Storages(taken.getsockname()[1], tmp_path, [STAGING])
