"""The worker's command line: `run` in a folder that holds the workload, or `serve` to be handed one over HTTP."""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import List, Optional

from worker.events import EventStream
from worker.plan import WorkloadError
from worker.receipt import write_receipt, write_summary
from worker.run import Run
from worker.runner.dpp import RUNNERS
from worker.runner.processes import keep_private
from worker.text import as_text


def main(arguments: Optional[List[str]] = None) -> int:
    """Return the exit code: 0 succeeded, 1 a pipeline failed, 2 wrong use or input, 128 + N ended by signal N."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        from worker.server import serve  # http.server is slow to import

        return serve(options.listen, options.token_file, options.folder, options.again)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    events = EventStream(with_log=options.verbose)
    # In a container the pipelines' variables come in one, so that none has a meaning for what starts the container.
    environment = dict(os.environ)
    environment.update(json.loads(environment.pop("DPPCTL_ENVIRONMENT", "{}")))
    origin = json.loads(environment.pop("DPPCTL_ORIGIN", "") or "{}")
    keep_private()
    nonce = _first_line() if options.owner_pipe else ""
    workload = options.workload.absolute()
    run = Run(workload, options.pipelines, environment, events, options.concurrency, origin, nonce, options.runner)
    stopping = _Stopping(run)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stopping.by_signal)
    if options.owner_pipe:
        threading.Thread(target=stopping.when_owner_ends, daemon=True).start()
    printer = threading.Thread(target=_print_events, args=(events, options.events), daemon=True)
    printer.start()
    code = _execute(run, options)
    events.close()
    printer.join()
    return stopping.exit_code or code


def _first_line() -> str:
    """Return the first line of standard input, which the owner writes at the start."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)  # not sys.stdin: a thread that waits there breaks Python's exit
        if not byte:
            break
        line += byte
    return line.decode().strip()


def _execute(run: Run, options: argparse.Namespace) -> int:
    try:
        receipt = run.execute()
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

    def __init__(self, run: Run) -> None:
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


def _print_events(events: EventStream, as_json: bool) -> None:
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
    run.add_argument("--events", action="store_true", help="print events as JSON lines instead of text")
    run.add_argument("--verbose", action="store_true", help="print dpp's log too")
    run.add_argument("--runner", choices=RUNNERS, default="", help="dpp: have dpp run all pipelines itself")
    owner_help = "stop when standard input ends; the last event repeats its first line as `nonce`"
    run.add_argument("--owner-pipe", action="store_true", help=owner_help)
    serve = commands.add_parser("serve", help="wait to be handed a workload over HTTP")
    serve.add_argument("--listen", default="127.0.0.1:8000", metavar="HOST:PORT")
    serve.add_argument("--token-file", type=Path, required=True, help="holds the bearer token")
    serve.add_argument("--folder", type=Path, default=Path(), help="where to put the workload (default: here)")
    serve.add_argument("--again", action="store_true", help="wait for the next workload after a run")
    return parser
