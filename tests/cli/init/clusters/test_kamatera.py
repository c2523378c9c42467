"""The dialogue with Kamatera, as a person types it: a stand-in for Kamatera, a real sshd, a real API server, helm."""

import getpass
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from cli.init.command import init
from cli.remote.clusters import read_clusters
from tests.support import seed
from tests.support.kamatera import ACCOUNT, SECRET, FakeKamatera, serving_kamatera
from tests.support.runs_cluster import IMAGES, READY, RunsCluster
from tests.support.sshd import sshd_on_loopback

BEGINNING = """\
Free Sign Up for The Kamatera Kubernetes service at https://console.kamatera.com
Kamatera Account ID: {account}
Kamatera Secret: 
Kamatera bills a server by the hour, with 2B CPUs, 4096 MB of memory and 40 GB of disk in datacenter EU, until it is \
removed (https://console.kamatera.com/pricing)
Make it? [Y/n]: y
make the server dppctl at Kamatera (2B CPUs, 4096 MB of memory and 40 GB of disk in datacenter EU), command 9000
Initializing Cluster, re-run dppctl init to track initialization progress
"""  # noqa: W291


def typed(*arguments: str, stdin: str = "") -> str:
    done = CliRunner().invoke(init, [*arguments], input=stdin)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.mark.slow
@pytest.mark.needs("ssh", "sshd", "an API server", "helm")
def test_from_nothing_to_pods_and_back(
    runs_cluster: RunsCluster, kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for module, name, value in [
        ("ssh", "USER", getpass.getuser()),
        ("server", "API_PORT", urlsplit(_server_of(kubeconfig)).port),
        ("server", "TERMINATE_POLL_SECONDS", 0.0),
    ]:
        monkeypatch.setattr(f"cli.providers.kamatera.{module}.{name}", value)
    monkeypatch.setattr("cli.init.clusters.bring_up.CLUSTER_POLL_SECONDS", 0.1)
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(kubeconfig, folder / "kubeconfig")
    kamatera = FakeKamatera(folder)
    command = f"ForceCommand cat {folder}/state {folder}/kubeconfig\n"
    with serving_kamatera(kamatera) as url, sshd_on_loopback(folder, command) as port:
        monkeypatch.setenv("KAMATERA_API_URL", url)
        monkeypatch.setattr("cli.providers.kamatera.ssh.PORT", port)

        said = typed(
            "kamatera", "--token-user=ann", f"--namespace={runs_cluster.namespace}", *IMAGES,
            stdin=f"{ACCOUNT}\n{SECRET}\ny\n",
        )  # fmt: skip
        assert said == BEGINNING.format(account=ACCOUNT)
        assert seed.not_said(seed.answer_to(seed.PRIVATE, "dppctl init kamatera"), said) == []
        waited = typed("--dry-run")
        assert waited == "Waiting for Kamatera cluster initialization\n"
        kamatera.finish()
        (folder / "state").write_text("ready\n")
        before = contents(tmp_path)
        would = "would add the context kamatera-dppctl to the kubeconfig file, and then look what is to be changed in"
        assert typed("--dry-run") == f"{would} the cluster\n"
        assert typed("kamatera", "--remove", "--dry-run").startswith(would)
        assert contents(tmp_path) == before, "a dry run changes nothing of this machine"
        with runs_cluster.kubelet(lambda _: {**READY, "containerStatuses": []}):
            said = typed()
        assert seed.not_said(seed.answer_to(seed.PRIVATE, "dppctl init"), f"{waited}{said}") == []
        assert re.search(
            r"(?m)^kamatera cluster is ready: context kamatera-dppctl, namespace init-\w+; Kamatera's", said
        )
        pods = said.partition(
            "\nCluster is ready, starting 1 persistent DB pod and 2 persistent worker pods\nDB pod: dppctl-runs-"
        )[2]
        assert pods.count("\nWorker pod: dppctl-runs-") == 2
        assert pods.endswith("dppctl initialization completed successfully\n")
        known = read_clusters()
        assert (known.current, known.by_name["kamatera"].context) == ("kamatera", "kamatera-dppctl")
        assert known.initialized["kamatera"].settings["kamateraDatacenter"] == "EU"
        kamatera.at_once = True
        assert typed("kamatera", "--remove", "--yes").endswith(
            "  done     terminate the server dppctl at Kamatera\n"
            "  done     forget the ssh keys of dppctl\n"
            "  done     remove the context kamatera-dppctl of the kubeconfig file\n"
            "  done     forget Kamatera's API key\n"
        )
    assert not kamatera.servers
    assert not read_clusters().by_name
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.parent != folder]
    assert not any(SECRET in file.read_text(errors="replace") for file in files), "it is kept nowhere any more"
    runs_cluster.api.delete(runs_cluster.path)


def contents(folder: Path) -> dict[Path, bytes]:
    """All files of a person, and not those of the machine at Kamatera."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file: file.read_bytes() for file in files if file.relative_to(folder).parts[0] != "server"}


def _server_of(kubeconfig: str) -> str:
    return str(YAML(typ="safe").load(Path(kubeconfig).read_text())["clusters"][0]["cluster"]["server"])
