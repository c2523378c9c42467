"""What shells complete, asked as they ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from cluster.local.sessions import record
from tests.support.environment import REPOSITORY

SPEC = "load:\n  pipeline: []\nother:\n  pipeline: []\n"
REGISTRATION = """\
apps:
- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging, production]}
- {appRepoPath: bob/data, opsRepoPath: bob/ops, environments: [live]}
"""
CONFIG = """\
continuousDeployment:
- {appRepoPath: ann/app, opsRepoPath: ann/ops, actions: [{branch: main, environment: staging, pipeline: all}]}
"""


def completed(folder: Path, line: str, **more: str) -> list[str]:
    """Return what bash is offered for a line that ends where the cursor is."""
    words = line.split(" ")
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_DPPCTL_COMPLETE": "bash_complete"}
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    ran = subprocess.run(
        program, cwd=folder, env={"PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "PATH": "", **variables, **more},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    return [value for line in ran.stdout.splitlines() if (value := line.partition(",")[2])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/pipeline-spec.yaml").write_text(SPEC)
    (tmp_path / "apps.yaml").write_text(REGISTRATION)
    return tmp_path


def test_commands_and_kinds_are_completed(folder: Path) -> None:
    assert completed(folder, "dppctl ro") == ["rollback"]
    assert set(completed(folder, "dppctl ")) == set(COMMANDS)
    assert completed(folder, "dppctl list dep") == ["deployments"]


def test_pipelines_apps_and_environments_are_completed(folder: Path) -> None:
    assert completed(folder, "dppctl run ./a/l") == ["./a/load"]
    assert completed(folder, "dppctl rollback ") == ["ann/app", "bob/data"]
    assert completed(folder, "dppctl rollback bob/data ") == ["live"]
    assert completed(folder, "dppctl promote ann/app staging p") == ["production"]
    assert completed(folder, "dppctl list deployments --app b") == ["bob/data"]
    assert completed(folder, "dppctl run --cluster l") == ["local"]


def test_a_path_before_an_id_may_be_left_out_and_what_is_ignored_is_not_offered(folder: Path) -> None:
    for name in ("old", ".hidden", "broken"):
        (folder / name).mkdir()
        (folder / name / "pipeline-spec.yaml").write_text("[" if name == "broken" else SPEC)
    (folder / ".dpp_spec_ignore").write_text("old\n")
    assert completed(folder, "dppctl run ") == ["./a/load", "./a/other"]
    assert completed(folder, "dppctl run a/l") == ["a/load"]


def test_what_this_machine_and_its_person_know_is_completed(folder: Path) -> None:
    home = {"DPPCTL_DATA_DIR": str(folder / "data"), "XDG_CONFIG_HOME": str(folder)}
    (folder / "dppctl").mkdir()
    (folder / "dppctl/clusters.json").write_text('{"current": "local", "clusters": {"office": {"url": "https://x"}}}')
    (folder / ".dppctl.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DPPCTL_DATA_DIR", home["DPPCTL_DATA_DIR"])
        living, other = (record.create("db"), record.create("worker"))
        other.update(owners=["1 long-ago"])
        assert completed(folder, "dppctl stop dppctl-", **home) == [living.name]
        assert completed(folder, "dppctl ssh dppctl-db", **home) == [living.name]
        assert other.folder.exists()
        living.remove()
    assert completed(folder, "dppctl use o", **home) == ["office"]
    assert completed(folder, "dppctl open bob/data ") == ["live"]
    assert completed(folder, "dppctl run --environment st") == ["staging"]
    assert completed(folder, "dppctl init mini") == ["minikube", "minikube-public"]


def test_what_is_broken_completes_nothing_and_says_nothing(folder: Path) -> None:
    (folder / "apps.yaml").write_text("apps: [")
    (folder / "a/pipeline-spec.yaml").write_text("[")
    assert completed(folder, "dppctl rollback ") == []
    assert completed(folder, "dppctl run ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    program = [sys.executable, "-c", "from cli.main import main; main()", "completion", shell]
    ran = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "_DPPCTL_COMPLETE" in ran.stdout


@pytest.mark.needs("bash")
def test_bash_completes_with_it(folder: Path) -> None:
    (folder / "dppctl").write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from cli.main import main; main()' \"$@\"\n")
    (folder / "dppctl").chmod(0o755)
    script = """eval "$(dppctl completion bash)"
    COMP_WORDS=(dppctl rollback bob/data "") COMP_CWORD=3
    "$(complete -p dppctl | sed 's/.*-F //; s/ .*//')" dppctl
    echo "${COMPREPLY[@]}"
    """
    ran = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY), "HOME": str(folder)},
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("live\n", "")
