"""The worker's command line: `run` in a folder that holds the workload, or `serve` to be handed one over HTTP."""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, List, Optional

from worker.runner.processes import keep_private
from worker.runner.ready import AUTO, DPP, ReadyDpp
from worker.unique import parse_unique

if TYPE_CHECKING:  # the rest is imported while the warm process loads dpp's packages
    from worker.events import EventStream
    from worker.run import Run

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Optional[List[str]] = None) -> int:
    """Return the exit code: 0 succeeded, 1 a pipeline failed, 2 wrong use or input, 128 + N ended by signal N."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        from worker.server import serve  # http.server is slow to import

        return serve(options.listen, options.token_file, options.folder, options.again)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    keep_private()
    if options.kept and options.kept.exists():
        return _tell_kept(options)
    if options.owner_pipe:
        return _run_order(options)
    from worker.database_session import session_of
    from worker.events import EventStream
    from worker.run import Run

    environment = dict(os.environ)
    session = session_of(environment)
    origin = json.loads(environment.pop("DPPCTL_ORIGIN", "") or "{}")
    events = EventStream(with_log=options.verbose)
    workload = options.workload.absolute()
    run = Run(
        workload,
        options.pipelines,
        environment,
        events,
        options.concurrency,
        origin,
        "",
        options.runner,
        unique=options.unique,
    )
    if session is None:
        return _follow(run, events, options)
    code = -1
    session.start()
    try:
        code = _follow(run, events, options)
    finally:
        session.close(goes_on=code == 0)
    return code


def _tell_kept(options: argparse.Namespace) -> int:
    """Say how the run ended whose data is gone back to; nothing runs."""
    from worker.events import EventStream
    from worker.receipt import write_receipt, write_summary

    receipt = json.loads(options.kept.read_text())
    events = EventStream()
    events.emit("ended", receipt=receipt)
    events.close()
    _print_events(events, options.events)
    write_receipt(receipt, options.receipt)
    write_summary(receipt)
    return 0


def _run_order(options: argparse.Namespace) -> int:
    """Load dpp's packages, then wait for the order, which says what to run."""
    for number in STOP_SIGNALS:
        signal.signal(number, _exit)
    ready = None
    try:
        ready = ReadyDpp(os.environ, is_warm=options.runner != DPP)
        from worker.events import EventStream
        from worker.run import Run

        order = json.loads(_first_line() or "null")
    except OSError as error:
        sys.stderr.write(f"the worker's files cannot be written: {error}\n")
        return 2
    except SystemExit:
        if ready:
            ready.close()
        raise
    if order is None:  # its owner has ended, or has nothing to run
        ready.close()
        return 128 + signal.SIGHUP
    # What starts a container does not see the pipelines' variables: none has a meaning for it.
    environment = {**os.environ, **order["environment"]}
    events = EventStream(with_log=order["verbose"])
    run = Run(
        Path(order["workload"]),
        order["pipelines"],
        environment,
        events,
        order["concurrency"],
        order["origin"],
        order["nonce"],
        options.runner,
        ready,
        order["unique"],
    )
    return _follow(run, events, options)


def _follow(run: "Run", events: "EventStream", options: argparse.Namespace) -> int:
    stopping = _Stopping(run)
    for number in STOP_SIGNALS:
        signal.signal(number, stopping.by_signal)
    if options.owner_pipe:
        threading.Thread(target=stopping.when_owner_ends, daemon=True).start()
    printer = threading.Thread(target=_print_events, args=(events, options.events), daemon=True)
    printer.start()
    code = _execute(run, options)
    events.close()
    printer.join()
    return stopping.exit_code or code


def _exit(number: int, _frame: Optional[FrameType]) -> None:
    raise SystemExit(128 + number)


def _first_line() -> str:
    """Return the first line of standard input, which the owner writes; it writes no other."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)  # not sys.stdin: a thread that waits there breaks Python's exit
        if not part:
            return ""
        line += part
    return line.decode()


def _execute(run: "Run", options: argparse.Namespace) -> int:
    from worker.plan import WorkloadError
    from worker.publication import stage
    from worker.receipt import write_receipt, write_summary

    try:
        receipt = run.execute()
        if options.publication:
            stage(run.publication, options.publication)
        write_receipt(receipt, options.receipt)
        write_summary(receipt)
    except WorkloadError as invalid:
        if not options.events:
            for error in invalid.errors:
                sys.stderr.write("{where}: {message}\n".format(**error))
        return 2
    except OSError as error:
        sys.stderr.write(f"the worker's files cannot be written: {error}\n")
        return 2
    return 0 if receipt["status"] == "succeeded" else 1


class _Stopping:
    """What ends a run from outside: a signal, or the end of the process that started the worker."""

    def __init__(self, run: "Run") -> None:
        self.exit_code = 0
        self._run = run

    def by_signal(self, number: int, _frame: Optional[FrameType]) -> None:
        self.exit_code = 128 + number
        threading.Thread(target=self._run.stop).start()  # a signal handler must not wait

    def when_owner_ends(self) -> None:
        while os.read(0, 4096):
            continue
        self.exit_code = 128 + signal.SIGHUP
        self._run.stop()


def _print_events(events: "EventStream", as_json: bool) -> None:
    from worker.text import as_text

    for batch in events.batches():
        lines = [json.dumps(event) if as_json else as_text(event) for event in batch]
        try:
            sys.stdout.write("".join(line + "\n" for line in lines if line is not None))
            sys.stdout.flush()
        except BrokenPipeError:
            return  # nobody reads any more; the receipt is still written


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="worker", description="Runs the pipelines of one workload with dpp.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run pipelines of the workload in this folder")
    run.add_argument("pipelines", nargs="*", help="ids, or all (default)")
    run.add_argument("--workload", type=Path, default=Path(), help="the workload's folder (default: here)")
    run.add_argument("--concurrency", type=int, default=1, help="how many pipelines at a time")
    run.add_argument("--receipt", type=Path, help="where to write the receipt (JSON)")
    stage_help = "a folder that gets what is to be published: `files`, and `items.json` which says what they are"
    run.add_argument("--publication", type=Path, metavar="FOLDER", help=stage_help)
    kept_help = "a receipt; where there is such a file nothing runs, and it is what comes out"
    run.add_argument("--kept", type=Path, metavar="FILE", help=kept_help)
    run.add_argument("--events", action="store_true", help="print events as JSON lines instead of text")
    run.add_argument("--verbose", action="store_true", help="print dpp's log too")
    run.add_argument("--runner", choices=(AUTO, DPP), default="", help="dpp: have dpp run all pipelines itself")
    unique_help = 'columns to check for duplicates: {"resource": "name or glob", "columns": ["id"]}; may be repeated'
    run.add_argument("--unique", type=parse_unique, action="append", default=[], metavar="JSON", help=unique_help)
    owner_help = "be told what to run by a line of standard input (cluster/local/workers/process.py); stop at its end"
    run.add_argument("--owner-pipe", action="store_true", help=owner_help)
    serve = commands.add_parser("serve", help="wait to be handed a workload over HTTP")
    serve.add_argument("--listen", default="127.0.0.1:8000", metavar="HOST:PORT")
    serve.add_argument("--token-file", type=Path, required=True, help="holds the bearer token")
    serve.add_argument("--folder", type=Path, default=Path(), help="where to put the workload (default: here)")
    serve.add_argument("--again", action="store_true", help="wait for the next workload after a run")
    return parser
