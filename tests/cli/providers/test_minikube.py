"""minikube's cluster is started in the background, followed by the next init, and deleted when init made it."""

import os
from pathlib import Path

import pytest

from cli.errors import InputError
from cli.providers.background import BackgroundProgram
from cli.providers.minikube import Minikube
from tests.support.kubeconfig import kubeconfig_of
from tests.support.minikube import MINIKUBE
from tests.support.waiting import eventually

WAITING = "Waiting for local minikube cluster to be created"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in first on PATH, a home of one's own, and a kubeconfig file for a cluster that nobody answers for."""
    program = tmp_path / "bin" / "minikube"
    program.parent.mkdir()
    program.write_text(MINIKUBE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", kubeconfig_of(tmp_path, "https://127.0.0.1:1"))
    return program


def said_to(program: Path) -> list[str]:
    return program.with_name("minikube.calls").read_text().splitlines()


def test_a_start_goes_on_by_itself_is_followed_and_undone(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.providers.minikube.MINIKUBE_FAILURE_SECONDS", 0.0)
    cluster = Minikube({"minikubeNamespace": "data"})
    with pytest.raises(InputError, match="minikube's cluster minikube is missing; run dppctl init minikube"):
        cluster.ready()
    assert (cluster.state().phase, cluster.start(dry_run=True)) == ("missing", "start minikube's cluster minikube")
    assert not [call for call in said_to(program) if call.startswith("start")]

    slow = program.with_name("minikube.slow")
    slow.touch()
    assert cluster.start(dry_run=False) == "start minikube's cluster minikube"
    assert Minikube({}).state().line == WAITING, "another process sees it too"
    assert Minikube({}).start(dry_run=False) is None
    slow.unlink()
    eventually(lambda: cluster.state().phase == "ready", "it runs")
    assert said_to(program).count("start --profile minikube --keep-context") == 1
    assert cluster.ready_line(1, 0) == "Cluster is ready with 1 worker pod"
    assert cluster.ready_line(2, 1) == "Cluster is ready with 2 worker pods and 1 DB pod"

    assert cluster.remove(dry_run=True) == ["delete minikube's cluster minikube"]
    assert Minikube({}).state().phase == "ready"
    assert Minikube({}).remove(dry_run=False) == ["delete minikube's cluster minikube"]
    assert "delete --profile minikube" in said_to(program)
    assert (Minikube({}).state().phase, Minikube({}).remove(dry_run=False)) == ("missing", [])


def test_what_fails_at_once_is_said_at_once_and_what_fails_later_once(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses = program.with_name("minikube.refuses")
    refuses.touch()
    cluster = Minikube({})
    with pytest.raises(InputError, match=r"minikube start: X Exiting due to DRV_NOT_HEALTHY: no driver; its log: /"):
        cluster.start(dry_run=False)
    assert cluster.remove(dry_run=False) == [], "nothing was made"

    monkeypatch.setattr("cli.providers.minikube.MINIKUBE_FAILURE_SECONDS", 0.0)
    slow = program.with_name("minikube.slow")
    slow.touch()
    cluster.start(dry_run=False)
    slow.unlink()
    exit_code = program.parent.parent / "dppctl/minikube/minikube/start.exit"
    eventually(exit_code.exists, "minikube ends")
    assert (cluster.state().phase, cluster.state().phase) == ("failed", "missing"), "it is told once"
    refuses.unlink()
    cluster = Minikube({})
    cluster.start(dry_run=False)
    eventually(lambda: cluster.state().phase == "ready", "it runs")


def test_a_cluster_that_was_there_before_is_started_and_left(program: Path) -> None:
    program.with_name("minikube.running").write_text("yes")
    cluster = Minikube({})
    assert cluster.state().phase == "ready"
    assert cluster.remove(dry_run=False) == ["leave minikube's cluster minikube: it was there before init"]
    assert "delete --profile minikube" not in said_to(program)


def test_a_start_that_was_killed_and_one_without_end(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.providers.minikube.MINIKUBE_FAILURE_SECONDS", 0.0)
    program.with_name("minikube.slow").touch()
    cluster = Minikube({})
    cluster.start(dry_run=False)
    with monkeypatch.context() as patched:
        patched.setattr("cli.providers.minikube.MINIKUBE_START_SECONDS", -1.0)
        assert "did not end within -0 minutes; its log: /" in cluster.state().line
    assert cluster.remove(dry_run=False) == ["delete minikube's cluster minikube"]
    assert Minikube({}).state().phase == "missing"


def test_a_program_that_cannot_start_is_told_by_its_code(tmp_path: Path) -> None:
    program = BackgroundProgram(tmp_path / "a folder")
    assert program.state() is None
    program.start(["no-such-program"], {"PATH": os.environ["PATH"]})
    eventually(lambda: (found := program.state()) and found.code == 127, "its exit code")


def test_a_profile_that_can_be_none_is_said() -> None:
    for profile in ("../x", "a" * 80, "a b"):
        with pytest.raises(InputError, match=r"minikubeProfile '.*': expected letters, digits and -"):
            Minikube({"minikubeProfile": profile})
