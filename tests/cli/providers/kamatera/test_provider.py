"""A cluster at Kamatera from the first question to its end: a stand-in for Kamatera, a real sshd, a real API server."""

import getpass
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from cli.errors import InputError
from cli.init.prompts import Questions
from cli.providers import make_provider
from cli.providers.kamatera.client import WrongApiKeyError
from cli.providers.kamatera.provider import Kamatera
from cli.providers.kamatera.record import RecordFolder
from cli.providers.kubeconfig_file import has_context
from tests.support.kamatera import ACCOUNT, SECRET, FakeKamatera
from tests.support.sshd import sshd_on_loopback

SILENT = Questions(yes=True)
WAITING = "Waiting for Kamatera cluster initialization"


def kamatera_cluster(**more: str) -> Kamatera:
    """As `dppctl init` makes it anew each time."""
    made = make_provider("kamatera", {"kamateraNamespace": f"kamatera-{secrets.token_hex(4)}", **more})
    assert isinstance(made, Kamatera)
    return made


@dataclass
class Server:
    """What the machine that the stand-in makes says over ssh, and its API server."""

    folder: Path
    kubeconfig: Path

    def say(self, state: str) -> None:
        (self.folder / "state").write_text(f"{state}\n")


@pytest.fixture
def server(kamatera: FakeKamatera, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A real sshd, which answers with the state and the kubeconfig, and the tests' API server behind the latter."""
    assert kamatera.folder
    # kubeconfig sets KUBECONFIG to the tests' own; a person's is another, and empty.
    monkeypatch.setenv("KUBECONFIG", str(kamatera.folder.parent / "kubeconfig"))
    monkeypatch.setattr("cli.providers.kamatera.ssh.USER", getpass.getuser())
    shutil.copy(kubeconfig, kamatera.folder / "kubeconfig")
    api = urlsplit(YAML(typ="safe").load(Path(kubeconfig).read_text())["clusters"][0]["cluster"]["server"])
    for module in ("server", "service"):
        monkeypatch.setattr(f"cli.providers.kamatera.{module}.API_PORT", api.port)
    answer = f"ForceCommand cat {kamatera.folder}/state {kamatera.folder}/kubeconfig\n"
    with sshd_on_loopback(kamatera.folder, answer) as port:
        monkeypatch.setattr("cli.providers.kamatera.ssh.PORT", port)
        yield Server(kamatera.folder, kamatera.folder / "kubeconfig")


@pytest.mark.slow
@pytest.mark.needs("ssh", "sshd", "an API server")
def test_a_server_is_asked_for_followed_used_and_terminated(
    kamatera: FakeKamatera, server: Server, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = kamatera_cluster()
    cluster.ask(SILENT)
    assert cluster.state().phase == "missing"
    assert "bills a server by the hour, with 2B CPUs, 4096 MB of memory and 40 GB of disk" in cluster.cost()
    assert "make the cluster dppctl" in str(cluster.start(dry_run=True))
    assert (kamatera.asked, RecordFolder("dppctl").read(), home.exists()) == ([], None, False)

    said = cluster.start(dry_run=False)
    assert said
    assert "make the server dppctl at Kamatera" in said
    ((path, wish),) = kamatera.asked
    assert (path, wish["password"], wish["network"]) == ("/service/server", "", "name=wan,ip=auto")
    assert SECRET not in str(wish)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (home / "kamatera" / "dppctl").iterdir()}
    assert modes == dict.fromkeys(["cluster.json", "host_key", "known_hosts", "ssh_key"], 0o600)
    assert (home / "kamatera.env").stat().st_mode & 0o777 == 0o600

    # Another run, on and on: it follows, and asks for nothing a second time.
    assert cluster.state().line == WAITING
    assert cluster.start(dry_run=False) is None
    kamatera.finish()
    cluster = kamatera_cluster()
    assert cluster.state().line.startswith(f"{WAITING}: not reached by ssh: ")
    server.say("installing k3s v1.36.5+k3s1")
    assert cluster.state().line == f"{WAITING}: installing k3s v1.36.5+k3s1"
    with pytest.raises(InputError, match="installing k3s"):
        cluster.connect()
    server.say("ready")
    assert cluster.state().phase == "ready"
    assert not has_context("kamatera-dppctl"), "to look changes nothing"
    client, context = cluster.connect()
    assert (context, client.version().startswith("v1.")) == ("kamatera-dppctl", True)
    assert "create the namespace" in str(cluster.start(dry_run=False))
    assert not (home / "kamatera" / "dppctl" / "host_key").exists(), "the machine alone has its own key"
    assert re.fullmatch(
        r"kamatera cluster is ready: context kamatera-dppctl, namespace kamatera-\w+; Kamatera's price: 0.017 an hour, "
        r"12 a month",
        cluster.ready(),
    )
    kamatera.refuses = [(503, "")] * 4
    assert "price" not in cluster.ready(), "the cluster is ready, whether or not Kamatera answers"
    kubeconfig = Path(os.environ["KUBECONFIG"])
    assert kubeconfig.stat().st_mode & 0o777 == 0o600

    # From now on the API server is asked, not the machine.
    server.say("failed long ago")
    assert kamatera_cluster().state().phase == "ready"
    (identity,) = kamatera.servers
    kamatera.servers[identity]["power"] = "off"
    assert "turn it on" in kamatera_cluster().state().line
    kamatera.servers.clear()
    assert kamatera_cluster().state().phase == "missing"  # somebody removed it
    assert [path for path, _ in kamatera.asked] == ["/service/server"]

    kamatera.add_server("dppctl")
    kamatera.at_once = True
    assert "terminate the server dppctl at Kamatera" in cluster.remove(dry_run=True)
    assert kamatera.servers
    lines = cluster.remove(dry_run=False)
    assert lines == [
        "terminate the server dppctl at Kamatera",
        "forget the ssh keys of dppctl",
        "remove the context kamatera-dppctl of the kubeconfig file",
        "forget Kamatera's API key",
    ]
    assert not kamatera.servers
    assert not (home / "kamatera" / "dppctl").exists()
    assert SECRET not in (home / "kamatera.env").read_text()
    assert kamatera_cluster().state().phase == "missing"
    assert SECRET not in "".join(capsys.readouterr())


@pytest.mark.slow
@pytest.mark.needs("ssh", "sshd", "an API server")
def test_a_machine_with_another_host_key_is_never_believed(kamatera: FakeKamatera, server: Server) -> None:
    cluster = kamatera_cluster()
    cluster.ask(SILENT)
    cluster.start(dry_run=False)
    kamatera.finish()
    server.say("ready")
    assert cluster.state().phase == "ready"
    stranger = kamatera_cluster(kamateraName="other")
    stranger.start(dry_run=False)
    (server.folder / "host_key").write_text((RecordFolder("other").folder / "host_key").read_text())
    state = cluster.state()
    assert (state.phase, "Host key verification failed" in state.line) == ("starting", True), state
    with pytest.raises(InputError, match="Host key verification failed"):
        cluster.connect()


@pytest.mark.needs("an API server")
def test_their_service_gets_a_key_of_this_cluster_and_a_network(kamatera: FakeKamatera, server: Server) -> None:
    cluster = kamatera_cluster(kamateraMode="k8s")
    cluster.ask(SILENT)
    assert "is given an ssh key, made for this cluster" in cluster.cost()
    assert "task task-0" in str(cluster.start(dry_run=False))
    assert [path for path, _ in kamatera.asked] == ["/service/network/create", "/k8s/create_cluster"]
    assert cluster.state().line == f"{WAITING}: 2 of 2 servers"
    assert cluster.start(dry_run=False) is None
    kamatera.tasks["task-0"]["state"] = "SUCCESS"
    kamatera.at_once = True
    assert kamatera_cluster().state().phase == "ready"  # the mode is what was begun
    client, _ = kamatera_cluster().connect()
    assert client.version()
    assert server.kubeconfig.read_text() not in Path(os.environ["KUBECONFIG"]).read_text()
    lines = cluster.remove(dry_run=False)
    assert lines[:4] == [
        "terminate the server dppctl-controlplane-1-09Ur8HM at Kamatera",
        "terminate the server dppctl-workers-1-09Ur8HM at Kamatera",
        "delete the network lan-82145-dppctl",
        "forget the ssh keys of dppctl",
    ]
    assert (kamatera.servers, kamatera.networks) == ({}, [])


def test_an_init_that_was_killed_is_found_again(kamatera: FakeKamatera) -> None:
    cluster = kamatera_cluster()
    RecordFolder("dppctl").begin("k3s", "EU")  # killed before it asked
    assert cluster.state().phase == "missing"
    key = RecordFolder("dppctl").key_file.read_text()
    kamatera.command("Create Server", "dppctl")  # killed after it asked, before it wrote that down
    assert cluster.state().line == WAITING
    record = RecordFolder("dppctl").read()
    assert record
    assert record.command == "9000"
    assert RecordFolder("dppctl").key_file.read_text() == key
    kamatera.finish("error", "Not enough resources\n")
    with pytest.raises(
        InputError, match="could not make the server dppctl: Not enough resources; dppctl init kamatera"
    ):
        cluster.start(dry_run=False)


def test_a_server_that_kamatera_gave_another_name_is_found_and_terminated(kamatera: FakeKamatera) -> None:
    kamatera.suffix = "-2"
    cluster = kamatera_cluster()
    cluster.start(dry_run=False)
    kamatera.finish()
    (identity,) = kamatera.servers
    kamatera.servers[identity]["power"] = "off"
    assert "turn it on" in kamatera_cluster().state().line
    kamatera.at_once = True
    assert "terminate the server dppctl-2 at Kamatera" in kamatera_cluster().remove(dry_run=False)
    assert not kamatera.servers


def test_what_kamatera_refuses_leaves_nothing_and_what_others_made_stays(kamatera: FakeKamatera, home: Path) -> None:
    cluster = kamatera_cluster()
    cluster.state()
    kamatera.refuses = [(200, []), (500, {"message": "quota exceeded"})]
    with pytest.raises(InputError, match="Kamatera refuses: quota exceeded"):
        cluster.start(dry_run=False)
    assert not (home / "kamatera" / "dppctl").exists()
    kamatera.add_server("dppctl")
    with pytest.raises(InputError, match="its key is not on this machine"):
        cluster.start(dry_run=False)
    assert cluster.remove(dry_run=False)[0].startswith("leave the server dppctl at Kamatera: it was not made from here")
    assert kamatera.servers


def test_a_datacenter_that_is_none_and_a_wrong_key_are_said_before_anything_is_kept(
    kamatera: FakeKamatera, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"no datacenter MARS; choose of: EU \(The Netherlands, Amsterdam\), IL"):
        kamatera_cluster(kamateraDatacenter="MARS").ask(SILENT)
    assert kamatera.asked == []
    (home.parent / "secret").write_text("wrong\n")
    with pytest.raises(WrongApiKeyError):
        kamatera_cluster(kamateraSecretFile=str(home.parent / "secret")).ask(SILENT)
    assert not (home / "kamatera.env").exists()
    for variable in ("KAMATERA_API_CLIENT_ID", "KAMATERA_API_SECRET"):
        monkeypatch.delenv(variable)
    with pytest.raises(InputError, match="Kamatera Account ID: nobody is asked with --yes; give --kamatera-account-id"):
        kamatera_cluster().ask(SILENT)
    with pytest.raises(InputError, match="API key is not known; give --kamatera-account-id and --kamatera-secret-file"):
        kamatera_cluster().state()
    (home.parent / "secret").write_text("two\nlines\n")
    with pytest.raises(InputError, match="the Kamatera Secret holds characters that none has"):
        kamatera_cluster(kamateraAccountId=ACCOUNT, kamateraSecretFile=str(home.parent / "secret")).ask(SILENT)
    monkeypatch.setenv("KAMATERA_API_SECRET", SECRET)
    with pytest.raises(InputError, match="the Kamatera Account ID holds characters that none has"):
        kamatera_cluster(kamateraAccountId="\u05d0").ask(SILENT)
    with pytest.raises(InputError, match="--kamatera-secret-file /nowhere cannot be read"):
        kamatera_cluster(kamateraSecretFile="/nowhere").ask(SILENT)


def test_a_kept_key_that_is_refused_is_asked_for_anew(
    kamatera: FakeKamatera, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = kamatera_cluster()
    kept.ask(SILENT)
    kept.start(dry_run=False)
    for variable in ("KAMATERA_API_CLIENT_ID", "KAMATERA_API_SECRET"):
        monkeypatch.delenv(variable)
    asked: list[str] = []
    monkeypatch.setattr(
        "click.prompt", lambda text, **_: (asked.append(text), {"Kamatera Account ID": ACCOUNT}.get(text, SECRET))[1]
    )
    kamatera.refuses = [(401, {"message": "revoked"})]
    kamatera_cluster().ask(Questions(yes=False))
    assert asked == ["Kamatera Account ID", "Kamatera Secret"]
    said = capsys.readouterr().out
    assert "Free Sign Up for The Kamatera Kubernetes service at https://console.kamatera.com\n" in said
    assert "revoked" in said
    kamatera_cluster().ask(SILENT)  # it is kept


def test_two_inits_at_once_ask_for_one_server(kamatera: FakeKamatera) -> None:
    cluster = kamatera_cluster()
    with RecordFolder("dppctl").alone(), pytest.raises(InputError, match="another dppctl init is asking Kamatera"):
        cluster.start(dry_run=False)
    assert kamatera.asked == []
