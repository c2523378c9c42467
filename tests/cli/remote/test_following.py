"""What a person reads while a run waits, and of its database, at a server that answers as a proxy would."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.remote.client import ProxyClient
from cli.remote.clusters import NamedCluster
from cli.remote.following import RunFollower
from cli.remote.interrupts import Interrupts
from cli.run.report import RunReport
from cluster.errors import ClusterError
from cluster.runs_api import RunInfo
from tests.support.serving import Reply, Request, serving

RUN = RunInfo(
    name="run-1", uid="u", user="token:ann", phase="Pending", pipelines=("all",), pool="default", created="2026-01-01"
)
ASSIGNED = {"event": "run", "phase": "Running", "worker": {"name": "w"}, "database": {"name": "db"}}
RECEIPT = {"event": "ended", "number": 1, "receipt": {"status": "succeeded", "pipelines": []}}
LATER = "(its data goes away when the pod ends)"
ENDED = {"event": "run", "phase": "Succeeded"}


def followed(answers: Mapping[str, Any], lines: list[Any], keep: float = 0.0) -> tuple[int, str]:
    """Follow a run whose stream has these lines; return the exit code, and the address of the server."""

    def answer(request: Request) -> Reply:
        path = urlsplit(request.path).path
        if path.endswith("/events"):
            return Reply(200, {}, b"".join(json.dumps(line).encode() + b"\n" if line else b"\n" for line in lines))
        found = next(each for end, each in answers.items() if path.endswith(end))
        return Reply(200, {}, json.dumps(found).encode())

    with serving(answer) as address, Interrupts() as interrupts:
        cluster = NamedCluster("office", f"http://{address}")
        with ProxyClient(cluster, "t", print) as proxy, RunReport(verbose=False) as report:
            return RunFollower(proxy, RUN, report, interrupts, keep).follow(), cluster.url


def test_a_database_is_told_with_its_web_ui(capsys: pytest.CaptureFixture[str]) -> None:
    access = {"host": "10.0.0.9", "port": 5432, "user": "postgres", "password": "p4ss", "database": "postgres"}
    ui = "/v1/runs/run-1/ui/?dppctl_ticket=abc"
    code, url = followed({"/database": {**access, "ui": ui}}, [ASSIGNED, RECEIPT, ENDED], keep=3600.0)
    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "Assigned Worker Pod: w",
        "Assigned DB Pod: db",
        f"DB Web UI is available at {url}{ui}",
        f"System: PostgreSQL, Server: localhost, Username: postgres, Password: p4ss {LATER}",
        "INFO    :RESULTS:",
        "Unassigned Worker Pod",
        "Keeping the DB and Web UI running for 1 hour",
    ]


def test_who_waits_is_told_the_place_and_which_pod_does_not_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.remote.following.NEVER_READY_SECONDS", 0.0)
    waiting = {"event": "run", "phase": "Pending", "reason": "Queued", "message": "waits", "queuePosition": 3}
    pod = {"name": "w-1", "kind": "worker", "pool": "default", "state": "starting", "since": "2026-01-01T00:00:00Z"}
    last = {**waiting, "queuePosition": 1, "reason": "PoolEmpty", "message": "there is no pool default"}
    ended = {"event": "run", "phase": "Failed", "reason": "PendingTimeout", "message": "no worker was free"}
    with pytest.raises(ClusterError, match="run-1: no worker was free"):
        followed({"/pods": {"pods": [pod]}}, [waiting, waiting, None, None, last, ended])
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "Waiting for available worker and DB pods",
        "Number 3 in the queue",
        "Number 1 in the queue: there is no pool default",
    ]
    why = "whoever runs the cluster sees why: kubectl describe pod w-1"
    assert re.fullmatch(rf"Pod w-1 of pool default is not ready for \w+; {why}\n", said.err)


def test_a_notice_is_told_once_and_the_limit_that_ends_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    near = {**ASSIGNED, "database": None, "notice": "limit workerHours is near"}
    end = {"event": "run", "phase": "Stopped", "reason": "UsageLimit", "message": "limit workerHours: you may have 4"}
    stopped = {"event": "ended", "number": 1, "receipt": {"status": "stopped", "pipelines": []}}
    for lines in ([near, near, stopped, end], [near, {**near, "rows": 1}, end]):
        assert followed({}, [*lines])[0] == 1
        said = capsys.readouterr()
        assert (said.out + said.err).count("dppctl: run-1: limit workerHours is near") == 1
        assert (said.out + said.err).count("dppctl: run-1: limit workerHours: you may have 4") == 1
