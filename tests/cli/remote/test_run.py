"""`dppctl run` on a cluster: a real proxy and operator, on a real API server with stand-ins for pods."""

import json
import os
import re
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.model.names import RepoPath
from cli.remote.clusters import APP_CONFIG, NamedCluster, add_cluster
from cluster.operator.pool_names import pool_of_environment
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import ProxyWorld
from tests.support.waiting import eventually

Person = Callable[..., str]
pytestmark = [pytest.mark.needs("an API server"), pytest.mark.usefixtures("office")]


def without_waiting(said: str) -> list[str]:
    """Return the lines, without those that depend on how soon pods were there, and with the names of pods as X."""
    lines = [re.sub(r"(Pod: |ssh )dppctl-(\w+)s-default-\S+", r"\1\2", line) for line in said.splitlines()]
    return [line for line in lines if not line.startswith(("Waiting for", "Number "))]


def running(runs: OperatorWorld) -> str:
    """Wait until a run is running, and return its name."""

    def found() -> str:
        known = runs.api.list(runs.path())
        return next((run["metadata"]["name"] for run in known if run.get("status", {}).get("phase") == "Running"), "")

    return eventually(found, "a run is running", 60)


def test_a_run_reads_as_on_this_machine(person: Person, runs: OperatorWorld) -> None:
    before = len(list(runs.workloads.iterdir()))
    said = person("run", "./rows")
    assert without_waiting(said) == [
        "Using office private cluster",
        "Assigned Worker Pod: worker",
        "./a: WAITING FOR OUTPUT",
        "./a: SUCCESS, processed 3 rows",
        "INFO    :RESULTS:",
        "INFO    :SUCCESS: ./a {'count_of_rows': 3}",
        "Unassigned Worker Pod",
    ]
    said = person("run", "fail")
    assert "./a: FAILURE, processed 3 rows" in said
    assert "| rows.py:2: ValueError: the reason" in said
    assert said.endswith("Unassigned Worker Pod\nexit code 1\n")
    assert len(list(runs.workloads.iterdir())) == before + 1  # the second upload was the first one's


def test_a_database_is_there_for_pipelines_that_name_one(person: Person) -> None:
    Path("pipeline-spec.yaml").write_text("rows:\n  pipeline:\n  - run: dump.to_sql\n")
    said = without_waiting(person("run", "rows", "--keep", "1h"))
    assert said[:3] == ["Using office private cluster", "Assigned Worker Pod: worker", "Assigned DB Pod: database"]
    assert said[3] == "Open the DB with: dppctl ssh database"
    assert re.fullmatch(r"System: PostgreSQL, Server: \S+:5432, Username: postgres, Password: [0-9a-f]{64} .*", said[4])
    assert said[-2:] == ["Unassigned Worker Pod", "Keeping the DB running for 1 hour"]
    assert not any("DB" in line for line in person("run", "rows", "--db", "none").splitlines()[2:])


def test_json_is_events_and_then_the_receipt(person: Person) -> None:
    events = [json.loads(line) for line in person("run", "rows", "--output", "json").splitlines()]
    kinds = [event.get("event") for event in events if event.get("event") != "waiting"]
    assert kinds == ["assigned", "queued", "started", "log", "log", "progress", "finished", None]
    assert events[-1]["status"] == "succeeded"
    assert not any("number" in event for event in events)


def test_a_worker_that_cannot_run_it_or_is_gone_says_why(person: Person, runs: OperatorWorld) -> None:
    Path("pipeline-spec.yaml").write_text("invalid:\n  pipeline: []\nwait:\n  pipeline: []\n")
    said = person("run", "invalid").splitlines()  # as in an image without dpp
    assert said[-2:] == ["dppctl: worker: there is no dpp on PATH", "exit code 2"]

    def remove() -> None:
        worker = runs.status(running(runs))["worker"]["name"]
        runs.api.delete(f"/api/v1/namespaces/{runs.namespace}/pods/{worker}")

    removing = threading.Thread(target=remove)
    removing.start()
    said = person("run", "wait").splitlines()
    removing.join()
    assert re.fullmatch(r"refused: run-\w+: .*; run it again", said[-1])


def test_ctrl_c_without_a_terminal_stops_the_run(person: Person, runs: OperatorWorld) -> None:
    names: list[str] = []

    def interrupt() -> None:
        names.append(running(runs))
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    said = person("run", "wait")
    interrupting.join()
    assert "\nStopping\n" in said
    assert said.splitlines()[-1] == "exit code 130"
    assert "./a: STOPPED" in said
    assert runs.status(names[0])["reason"] == "UserStop"


def test_a_proxy_that_restarts_loses_no_event_and_doubles_none(
    person: Person, runs: OperatorWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
    world = ProxyWorld(tmp_path, kubeconfig, runs.namespace, runs.url)
    with ExitStack() as first:
        first.enter_context(world.running())
        add_cluster(NamedCluster("office", world.url))
        monkeypatch.setenv("DPPCTL_TOKEN", world.person().token)
        restarted = ExitStack()

        def restart() -> None:
            name = running(runs)
            eventually(lambda: len(runs.events_of(name)) > 200, "its log is there")
            first.close()
            restarted.enter_context(world.running())
            runs.stop(name)

        restarting = threading.Thread(target=restart)
        restarting.start()
        said = person("run", "log", "wait", "--verbose")
        restarting.join()
        restarted.close()
    logged = re.findall(r"^\[\./a\] >>> line (\d+)$", said, re.MULTILINE)
    assert logged == [*map(str, range(200)), "0", "1"]
    assert said.splitlines()[-1] == "exit code 1"


def test_pods_are_listed_and_runs_stopped_and_looked_at(
    person: Person, office: ProxyWorld, runs: OperatorWorld
) -> None:
    assert without_waiting(person("stop", "all")) == ["Stopped nothing: no run goes on"]
    name = (
        office.person(f"ann-{Path.cwd().parent.name}")
        .ask("POST", "/v1/runs", json={"pipelines": ["wait"], "workload": runs.workload})
        .json()["name"]
    )
    runs.until(name, "Running")
    pods = json.loads(person("list", "pods"))
    assert [pod["name"] for pod in pods if pod["run"] == name and pod["status"] == "assigned"]
    assert {pod["status"] for pod in pods} >= {"assigned", "available"}
    assert person("stop", name) == f"Stopped {name}\n"
    said = person("logs", name)
    assert "./a: STOPPED, processed 3 rows" in said
    assert "[./a] >>> line 1" in said
    assert said.endswith("exit code 1\n")
    latest = person("logs", "--cluster", "office")
    assert re.match(r"Run run-\w+\n", latest)
    assert "Unassigned Worker Pod" in latest
    worker = next(pod["name"] for pod in pods if pod["status"] == "available" and "worker" in pod["name"])
    assert person("stop", worker).startswith("refused: ")  # it is nobody's own
    mistyped = f"{name[:-1]}x"
    meant = f"refused: there is no run and no pod {mistyped} on office; did you mean {name}? known: "
    assert person("stop", mistyped).startswith(meant)
    meant = f"refused: there is no run {mistyped} of yours on office; did you mean {name}? known: "
    assert person("logs", mistyped).startswith(meant)
    assert person("ssh", f"{worker}x").startswith(
        f"refused: there is no pod {worker}x of yours on office; did you mean"
    )
    assert "no deployment's number and no app (OWNER/REPO)" in person("logs", name, "--cluster", "local")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pool", "large"], "refused: there is no pool large; known: default"),
        (["--pool", "A B"], "refused: --pool: string should match pattern"),
        (["--timeout", "30d"], "refused: --timeout: input should be less than or equal to 604800"),
        (["--env", "A=b"], "refused: --env does not go to a cluster, and this run is on office; leave it out, or"),
        (["--db", "sqlite"], "refused: --db on a cluster must be postgres (one that is kept for --keep) or none"),
        (["--environment", "staging"], "refused: --environment staging: . has no .dppctl.yaml that says of which app"),
        (["--environment", "staging", "--pool", "a"], "refused: --environment names a pool already; leave out --pool"),
        (["--cluster", "offce"], "refused: there is no cluster offce; did you mean office? known: local, office; "),
        (["--cluster", "local", "--pool", "a"], "refused: --pool is for runs on a cluster, and this run is on this ma"),
        (["./rosw"], "did you mean ./rows"),
    ],
)
def test_what_is_wrong_is_one_line(person: Person, arguments: list[str], said: str) -> None:
    assert said in person("run", *(arguments if arguments[0].startswith("./") else ["./rows", *arguments]))


def test_a_token_without_the_scope_uploads_nothing(
    person: Person, office: ProxyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DPPCTL_TOKEN", office.person("bob", ["read"]).token)
    said = person("run", "./rows")
    assert said.startswith("refused: the token of token:bob may not run pipelines on office: it lacks the scope run; `")
    monkeypatch.setenv("DPPCTL_TOKEN", "dppctl_wrong")
    assert person("run", "./rows").startswith("refused: the token is not known here, or not any more; ")


def test_an_environment_has_a_pool_of_its_own(person: Person) -> None:
    entry = "- appRepoPath: ann/data\n  opsRepoPath: ann/ops\n  actions:\n  - {branch: master, environment: staging}\n"
    Path(APP_CONFIG).write_text(f"continuousDeployment:\n{entry}")
    pool = pool_of_environment(RepoPath.parse("ann/data"), "staging")
    assert f"refused: there is no pool {pool}; known: default" in person("run", "rows", "--environment", "staging")
    said = person("run", "rows", "--environment", "prod")
    assert said.startswith("refused: --environment prod: .dppctl.yaml deploys to no such environment; known: staging")


def test_the_app_says_where_it_runs(person: Person) -> None:
    Path(APP_CONFIG).write_text("cluster: office\n")
    person("use", "local")
    assert person("run", "rows").startswith("Using office private cluster\n")
