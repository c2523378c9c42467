"""What environments publish, over HTTP."""

import socket
from collections.abc import Iterator

import pytest
import requests

from cluster.errors import ClusterError
from cluster.sync.local.storage_server import Storages
from tests.support.forge import APP
from tests.support.stories.machine import FAILING, PUBLISHING, Machine
from tests.support.world import PRODUCTION, STAGING


@pytest.fixture
def storages(machine: Machine) -> Iterator[Storages]:
    storages = Storages(0, machine.folder / "environments", machine.sync.targets)
    yield storages
    storages.close()


def test_what_a_deployment_publishes_is_served_until_another_one_replaces_it(
    machine: Machine, storages: Storages
) -> None:
    machine.start(storage_url=storages.url)
    url = storages.url(STAGING)
    assert requests.get(url, timeout=60).status_code == 404
    machine.say({**APP, **PUBLISHING})
    machine.sync.sync()
    assert machine.events[-1].message == f"1 rows; published at {url}"
    assert requests.get(url, timeout=60).text == "the site"
    machine.say(FAILING)
    machine.sync.sync()
    assert requests.get(url, timeout=60).text == "the site"
    assert requests.get(storages.url(PRODUCTION), timeout=60).status_code == 404
    machine.say({"rows.py": PUBLISHING["rows.py"].replace("the site", "another site")})
    machine.sync.sync()
    assert requests.get(url, timeout=60).text == "another site"


def test_nothing_beside_the_storage_is_served(machine: Machine, storages: Storages) -> None:
    machine.say({**APP, **PUBLISHING})
    machine.sync.sync()
    url = storages.url(STAGING)
    for path in ("../data.sqlite", "%2e%2e/data.sqlite", "..%2fdata.sqlite", "../../last.json", "/", "/ann+app/"):
        session = requests.Session()
        asked = requests.Request("GET", url).prepare()
        asked.url = url + path if not path.startswith("/") else url.partition("/ann")[0] + path
        assert session.send(asked, timeout=60).status_code == 404, path


def test_a_taken_port_is_said_in_one_line(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ClusterError, match="DPPCTL_STORAGE_PORT"):
        Storages(taken.getsockname()[1], machine.folder, [STAGING])
