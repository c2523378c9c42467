"""What a failed pipeline says, with real dpp: where it failed, why, and nothing that hides it."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.worker import Worker

Files = Callable[[Mapping[str, str]], Path]


def error_of(worker: Worker, folder: Path) -> str:
    """Return the error of the workload's only pipeline, which fails."""
    outcome = worker.run(folder)
    assert outcome.code == 1, outcome
    [result] = outcome.results.values()
    return str(result["error"])


def test_the_field_that_cannot_be_cast_is_named_though_other_exceptions_came_after(
    worker: Worker, workload: Files
) -> None:
    spec = """
        grades:
          pipeline:
          - {run: load, parameters: {from: missing.csv, name: t}}
          - {run: set_types, parameters: {types: {v: {type: integer}}}}
          - {run: dump_to_path, parameters: {out-path: data/t}}
    """
    error = error_of(worker, workload({"pipeline-spec.yaml": spec, "missing.csv": "id,v\n1,NA\n2,-\n"}))
    assert error.startswith('set_types: CastError: Field "v" can\'t cast value "NA" for type "integer"')
    assert "ROW: {'id': '1', 'v': 'NA'}" in error


def test_a_failure_in_a_flow_is_told_with_the_users_own_line(worker: Worker, workload: Files) -> None:
    flow = """
        from dataflows import Flow

        def shout(row):
            row["name"] = upper(row["nmae"])

        def flow(*_):
            return Flow([{"name": "Ada"}], shout)
    """
    error = error_of(worker, workload({"pipeline-spec.yaml": "a: {pipeline: [{flow: votes}]}", "votes.py": flow}))
    line = next(number for number, text in enumerate(flow.strip("\n").splitlines(), 1) if "nmae" in text)
    assert error.splitlines()[0] in (
        f"votes.py:{line}: NameError: name 'upper' is not defined",
        f"votes.py:{line}: KeyError: 'nmae'",
    )


def test_the_users_own_line_comes_with_what_is_around_it(worker: Worker, workload: Files) -> None:
    code = "from datapackage_pipelines.wrapper import ingest\n\n\ndef read():\n    raise ValueError('no')\n\n\nread()\n"
    outcome = worker.run(workload({"pipeline-spec.yaml": "a: {pipeline: [{run: votes}]}", "votes.py": code}))
    [result] = outcome.results.values()
    assert str(result["error"]).splitlines()[0] == "votes.py:5: ValueError: no"
    assert result["place"] == {
        "file": "votes.py",
        "line": 5,
        "processor": "votes",
        "source": {"first": 3, "lines": ["", "def read():", "    raise ValueError('no')", "", ""]},
    }


def test_a_name_that_a_data_package_may_not_have_is_told_with_the_rule(worker: Worker, workload: Files) -> None:
    spec = """
        a:
          pipeline:
          - {run: update_package, parameters: {name: "My Name!"}}
          - {run: dump_to_path, parameters: {out-path: data/t}}
    """
    error = error_of(worker, workload({"pipeline-spec.yaml": spec}))
    assert "'My Name!' does not match '^([-a-z0-9._/])+$'" in error.splitlines()[0]


def test_a_print_before_the_output_is_told_as_dpp_does(worker: Worker, workload: Files) -> None:
    processor = """
        from datapackage_pipelines.wrapper import ingest, spew
        print("hello, starting")
        parameters, datapackage, resources = ingest()
        spew(datapackage, resources)
    """
    error = error_of(worker, workload({"pipeline-spec.yaml": "a: {pipeline: [{run: prints}]}", "prints.py": processor}))
    assert "Failed to decode line 'hello, starting' Perhaps there's a rogue print statement" in error.splitlines()[0]
    assert "NoneType" not in error
    assert "dppctl_" not in error


NOISY = """
    import logging, sys
    from datapackage_pipelines.wrapper import ingest, spew
    parameters, datapackage, resources = ingest()
    for number in range(900):
        logging.error("row %d rejected: %s", number, "x" * 1500)
    if parameters.get("fail"):
        raise ValueError("900 rows rejected, see above")
    spew(datapackage, resources, {"skipped": 900})
"""


def test_a_megabyte_of_logged_errors_hides_no_reason_and_is_no_failure_by_itself(
    worker: Worker, workload: Files
) -> None:
    spec = """
        fails: {pipeline: [{run: noisy, parameters: {fail: true}}]}
        passes: {pipeline: [{run: noisy, parameters: {fail: false}}]}
    """
    outcome = worker.run(workload({"pipeline-spec.yaml": spec, "noisy.py": NOISY}))
    error = outcome.results["./fails"]["error"]
    assert error.startswith("noisy.py:7: ValueError: 900 rows rejected, see above\n")
    assert len(error) < 20_000
    assert outcome.results["./passes"]["status"] == "succeeded"
    assert outcome.results["./passes"]["stats"] == {"skipped": 900}
    assert max(len(str(event)) for event in outcome.events) < 100_000


def test_an_exception_with_a_message_of_a_megabyte_keeps_its_beginning(worker: Worker, workload: Files) -> None:
    spec = """
        long:
          pipeline:
          - run: long
            code: |
                from datapackage_pipelines.wrapper import ingest
                with ingest() as context:
                    raise ValueError("the row is too long: " + "x" * 1_000_000 + "\\nline" * 5_000)
    """
    error = error_of(worker, workload({"pipeline-spec.yaml": spec}))
    assert error.startswith("line 3 of the step's code: ValueError: the row is too long: xxx")


def test_a_processor_that_ends_without_a_word_is_named(worker: Worker, workload: Files) -> None:
    spec = """
        quits:
          pipeline:
          - run: quits
            code: |
                import logging, sys
                logging.warning("no more members")
                sys.exit(3)
    """
    error = error_of(worker, workload({"pipeline-spec.yaml": spec}))
    assert error.splitlines()[0].endswith("ended with exit code 3")


@pytest.fixture
def hook(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a hook that behaves as the parameter says."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    if request.param == "fails":
        server = HTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        server.server_close()
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if request.param == "is closed":
            listener.close()
        yield "http://nowhere..invalid/" if request.param == "is no address" else f"http://127.0.0.1:{port}/hook"


@pytest.mark.parametrize("hook", ["is closed", "is silent", "fails", "is no address"], indirect=True)
def test_a_hook_that_does_not_answer_makes_no_success_a_failure_nor_holds_it_up(
    worker: Worker, workload: Files, hook: str
) -> None:
    spec = f"tell: {{hooks: ['{hook}'], pipeline: [{{run: update_package, parameters: {{name: told}}}}]}}"
    outcome = worker.run(workload({"pipeline-spec.yaml": spec}))
    assert (outcome.code, outcome.results["./tell"]["error"]) == (0, None)
    assert any(event["event"] == "log" and f"hook {hook}" in event["line"] for event in outcome.events)
