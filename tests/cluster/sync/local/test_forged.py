"""What pipelines write themselves is not taken for the worker's word, nor what a worker says for the values'."""

from datetime import UTC, datetime

import pytest

from bot.model.values import Source, Values
from cluster.errors import ClusterError
from cluster.sync.local.pipelines import checked_receipt
from tests.support.forge import APP
from tests.support.stories.machine import Machine
from tests.support.world import STAGING

NOW = datetime(2026, 1, 2, tzinfo=UTC).isoformat()
RECEIPT = {
    "status": "succeeded",
    "pipelines": [{"id": "./one", "status": "succeeded", "rows": 10**6}],
    "started": NOW,
    "ended": NOW,
}
# It finds its worker, says in its place that all went well, in its file and on its pipe, and kills it.
FORGING = f"""
import json, os, pathlib, signal, time

def flow(*_):
    receipt = {RECEIPT!r}
    pathlib.Path("../work/receipt.json").write_text(json.dumps(receipt))
    worker, command = os.getpid(), b""
    while b"worker.pyz" not in command:
        worker = int(pathlib.Path(f"/proc/{{worker}}/stat").read_text().rpartition(")")[2].split()[1])
        command = pathlib.Path(f"/proc/{{worker}}/cmdline").read_bytes()
    ended = json.dumps({{"event": "ended", "time": "{NOW}", "receipt": receipt}})
    try:
        with open(f"/proc/{{worker}}/fd/1", "w") as pipe:
            pipe.write(ended + "\\n")
    except PermissionError:  # unless this is root's
        pass
    os.kill(worker, signal.SIGKILL)
    time.sleep(60)
"""


def test_a_pipeline_that_writes_its_own_receipt_and_kills_the_worker_has_failed(machine: Machine) -> None:
    machine.say({**APP, "rows.py": FORGING})
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    end = machine.events[-1]
    assert end.message.startswith("the worker ended with exit code 137")
    assert end.receipt is None
    assert machine.environment(STAGING).current() is None


def test_source_image_and_ids_are_those_of_the_values() -> None:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit="c" * 40)
    values = Values(image="registry.example/app@sha256:" + "1" * 64, source=source, pipelines=())
    found = {**RECEIPT, "image": "evil", "source": {**source.model_dump(), "commit": "f" * 40}}
    receipt = checked_receipt(found, values, ["all", "./one"])
    assert (receipt.source, receipt.image) == (values.source, values.image)
    with pytest.raises(ClusterError, match=r"says nothing of \./two"):
        checked_receipt(found, values, ["./one", "./two"])
    with pytest.raises(ClusterError, match="cannot be read"):
        checked_receipt({"status": "excellent"}, values, [])
