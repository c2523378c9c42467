"""The shapes of the proxy's API: what is asked for is taken whole or refused; answers are read by older readers too."""

import pytest
from pydantic import ValidationError

from cluster.runs_api import RunInfo, RunRequest

ASKED = {"pipelines": ["./a"], "workload": {"sha256": "0" * 64, "bytes": 1}}


def test_a_request_has_the_defaults_of_a_run_and_goes_in_camel_case() -> None:
    request = RunRequest.model_validate({**ASKED, "timeoutSeconds": 60})
    assert (request.pool, request.database, request.timeout_seconds, request.keep_seconds) == (
        "default",
        "none",
        60,
        3600,
    )
    assert RunRequest.model_validate_json(request.model_dump_json(by_alias=True)) == request


@pytest.mark.parametrize(
    "wrong",
    [
        {"pipelines": []},
        {"pipelines": ["./a"] * 1001},
        {"pipelines": ["a" * 254]},
        {"workload": {"sha256": "../x", "bytes": 1}},
        {"workload": {"sha256": "0" * 64, "bytes": 2**40}},
        {"pool": "../default"},
        {"image": "--help"},
        {"database": "mysql"},
        {"concurrency": 0},
        {"timeoutSeconds": 10**9},
        {"user": "somebody else"},
    ],
)
def test_what_a_run_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RunRequest.model_validate({**ASKED, **wrong})


def test_a_reader_ignores_what_a_newer_proxy_adds() -> None:
    run = {
        "name": "run-a",
        "uid": "u",
        "user": "token:ann",
        "phase": "Pending",
        "pipelines": ["./a"],
        "pool": "default",
    }
    read = RunInfo.model_validate({**run, "created": "2026-01-31T12:00:00Z", "worker": {"name": "w", "x": 1}, "y": 2})
    assert (read.worker and read.worker.name, read.rows, read.finished) == ("w", None, None)
