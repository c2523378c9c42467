"""`dppctl init kubeconfig --workers 1` and then `dppctl run`, with real pods and no Ingress."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.commands.run import run
from cli.commands.usage import usage
from cli.init.command import init
from tests.support import seed
from tests.support.cluster import CODE, SECONDS, ClusterImages, Namespace
from tests.support.environment import REPOSITORY
from tests.support.helm import helm
from tests.support.waiting import eventually
from tests.support.workloads import write_files

NO_VOLUME = {"enabled": False}  # the node's folders are root's
VALUES = {
    "runs": {"operator": {"persistence": NO_VOLUME}},
    "auth": {"persistence": NO_VOLUME},
    "usage": {"persistence": NO_VOLUME, "spool": NO_VOLUME},
    "pool": {"resources": {"requests": {"cpu": "10m"}}},
    "storage": {"enabled": True, "url": "http://dppctl-runs-storage", "volume": {"existingClaim": "published"}},
}
SITE = {
    "run": "render_index",
    "code": (
        "from pathlib import Path\n"
        "from datapackage_pipelines.wrapper import ingest, spew\n"
        "parameters, datapackage, resources = ingest()\n"
        "Path('data').mkdir(exist_ok=True)\n"
        "Path('data/index.html').write_text('<h1>Hello World</h1>')\n"
        "spew(datapackage, [])\n"
    ),
}
# This cluster has another name than that of the example, and no databases; what the pipeline makes it dumps nowhere.
WITHOUT_DATABASE = {
    "INFO    :SUCCESS: ./dump-to-db {'bytes': N, 'count_of_rows': N, 'dataset_name': '_', 'hash': 'HASH'}": (
        "INFO    :SUCCESS: ./dump-to-db {}"
    ),
    "Using kamatera private cluster": "Using lab private cluster",
    "Assigned DB Pod: db-pod": "",
    "DB Web UI is available at URL": "",
    "System: PostgreSQL, Server: localhost, Username: postgres, Password: WORD": "",
}


# What a pipe is told of dpp 2 differs as on one machine; this pipeline has one step, of its own.
IN_A_SHELL = {
    line.replace("zones", "load"): words.replace("zones", "load") for line, words in seed.IN_A_SHELL.items()
} | {
    "[./load:T_N] >>> INFO    :- load_resource": "[./load:T_N] >>> INFO    :- rows",
    "[./load:T_N] >>> INFO    :- dump.to_sql": "",
    "[./load:T_N] >>> INFO    :dump.to_sql: INFO    :Processed N rows": "",
    "[./load:T_N] >>> INFO    :ID DONE PACKAGES/datapackage_pipelines/specs/../lib/dump/to_sql.py": "",
    "INFO    :SUCCESS: ./load {'bytes': N, 'count_of_rows': N, 'dataset_name': '_', 'hash': 'HASH'}": (
        "INFO    :SUCCESS: ./load {"
    ),
}


def typed_into(pod: str, lines: str) -> str:
    """Return what `dppctl ssh POD` says to these lines."""
    command = [sys.executable, "-m", "cli.main", "ssh", pod]
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    return f"{done.stdout}{done.stderr}"


def usage_counts() -> list[tuple[int, str]]:
    """Return rows and outcome of each run that the usage server knows; a person may ask 60 times a minute."""
    time.sleep(2)
    asked = CliRunner().invoke(usage, ["-o", "json"], catch_exceptions=False)
    return [(each["rows"], each["outcome"]) for each in json.loads(asked.stdout)["runs"]]


def test_a_cluster_is_made_ready_and_runs_what_is_here(
    namespace: Namespace,
    cluster_images: ClusterImages,
    dppctl_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", f"{helm().parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("DPPCTL_TOKEN", raising=False)
    worker = cluster_images.push(cluster_images.images.dpp, "dpp")
    spec = {"load": {"pipeline": [{"run": "rows", "code": CODE}]}}
    files = {"app/pipeline-spec.yaml": json.dumps(spec), "values.yaml": json.dumps(VALUES)}
    write_files(tmp_path, files)
    namespace.volume("published", cluster_images.python)
    monkeypatch.chdir(tmp_path / "app")
    arguments = ["kubeconfig", "--workers=1", f"--namespace={namespace.name}", "--cluster-name=lab", "--yes", "--usage"]
    images = [f"--image={dppctl_image}", f"--worker-image={worker}", f"--values={tmp_path / 'values.yaml'}"]
    done = CliRunner().invoke(init, [*arguments, *images], catch_exceptions=False)
    assert "Worker pod: dppctl-runs-workers-" in done.output, f"{done.output}\n{namespace.describe()}"

    done = CliRunner().invoke(run, ["./load"], catch_exceptions=False)
    assert done.exit_code == 0, f"{done.output}\n{namespace.describe()}"
    assert "./load: SUCCESS, processed 5 rows" in done.output
    example = seed.answer_to(seed.PRIVATE, "dppctl run ./dump-to-db")
    assert seed.not_said(example, done.output.replace("./load", "./dump-to-db"), WITHOUT_DATABASE) == [], done.output

    # A terminal in the worker, which keeps running, has dpp and the files of the run.
    pod = re.search(r"^Assigned Worker Pod: (\S+)$", done.output, re.MULTILINE)
    assert pod, done.output
    said = typed_into(pod[1], "dpp\ndpp run --verbose ./load 2>&1\n")
    for typed in ("dpp", "dpp run --verbose ./dump-to-db"):
        lines = [line.replace("dump-to-db", "load") for line in seed.answer_to(seed.PRIVATE, typed)]
        assert seed.not_said(lines, said, IN_A_SHELL) == [], said

    # What one run publishes on the volume the next one loads from the storage server. Two runs at a time are allowed:
    # the place of one that has ended is free at once.
    to_path = {"run": "dump_to_path", "parameters": {"out-path": "data/numbers"}}
    spec = {"publish": {"pipeline": [{"run": "rows", "code": CODE}, to_path]}}
    write_files(tmp_path, {"app/pipeline-spec.yaml": json.dumps(spec)})
    done = CliRunner().invoke(run, ["./publish"], catch_exceptions=False)
    assert "Syncing Data Packages to Public Storage\n" in done.output, f"{done.output}\n{namespace.describe()}"
    found = re.search(r"^data/numbers > (http://dppctl-runs-storage/\S+/numbers/)$", done.output, re.MULTILINE)
    assert found, done.output
    load = {"run": "load_resource", "parameters": {"url": f"{found[1]}datapackage.json", "resource": ".*"}}
    write_files(tmp_path, {"app/pipeline-spec.yaml": json.dumps({"read": {"pipeline": [load]}})})
    done = CliRunner().invoke(run, ["./read"], catch_exceptions=False)
    assert "./read: SUCCESS, processed 5 rows" in done.output, f"{done.output}\n{namespace.describe()}"

    eventually(lambda: usage_counts() == [(5, "Succeeded")] * 3, "the usage server has counted them")

    write_files(tmp_path, {"app/pipeline-spec.yaml": json.dumps({"render_index": {"pipeline": [SITE]}})})
    done = CliRunner().invoke(run, ["all"], catch_exceptions=False)
    assert "Syncing Static Website to Public Storage\n" in done.output, f"{done.output}\n{namespace.describe()}"
    found = re.search(r"^data/index.html > (http://dppctl-runs-storage/\S+/)$", done.output, re.MULTILINE)
    assert found, done.output
    fetch = f"import urllib.request as r; got = r.urlopen('{found[1]}'); print(got.read().decode(), got.headers)"
    shown = namespace.kubectl("exec", "deployment/dppctl-runs-storage", "--", "python3", "-c", fetch)
    assert "Hello World" in shown
    assert "Content-Security-Policy: sandbox" in shown

    done = CliRunner().invoke(init, [*arguments, "--remove"], catch_exceptions=False)
    assert "uninstall the release dppctl-runs" in done.output
