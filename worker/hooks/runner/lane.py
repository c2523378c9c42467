"""Neighbouring standard steps in one process: dpp's own scripts, run one after another, rows passed without text.

Each script is executed with a `stdin` that gives what the step before it spewed; `spew` takes note of what the script
spews, and the last script's `spew`, dpp's own, pulls the rows through all of them. What fails ends the process at once,
as dpp kills a pipeline's processes, so nothing that is open is committed.
"""

import itertools
import logging
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Optional

import datapackage_pipelines.wrapper
import dppctl_wrapper
from datapackage_pipelines.utilities.extended_json import LazyJsonLine, json
from datapackage_pipelines.utilities.resources import streaming
from datapackage_pipelines.wrapper import input_processor, wrapper
from tableschema.exceptions import CastError

from . import halves, standard
from .link import Link, line_of, size_of, with_line
from .output import Attribution, StepLog
from .script import exit_code_of, run_script

attribution = Attribution()
BYTES_AHEAD = 1 << 14  # twice the buffer of Python's own output
BLANK = None  # what ends the rows of a resource, in the place of an empty line


class Spewed:
    """What a script handed to `spew`."""

    def __init__(self, descriptor: Dict[str, Any], resources: Any, stats: Any, finalizer: Any) -> None:
        self.descriptor = descriptor
        self.resources = resources
        self.stats = stats
        self.finalizer = finalizer


class LaneStep:
    """A step of the lane."""

    def __init__(self, position: int, arguments: List[str], descriptor: int) -> None:
        """position: in the lane; arguments: of its script, the script first; descriptor: its stderr."""
        self.position = position
        self.arguments = arguments
        self.redirected = False  # its prints are logged, as those of a script with `with ingest()`
        self.log = StepLog(descriptor)
        self.write = self.log.write
        self.source: Any = None  # its stdin
        self.spewed: Optional[Spewed] = None
        self.is_sink = standard.standard_name(arguments[0]) == standard.SINK


class Lane:
    """The steps of a process, from the first script to its end."""

    def __init__(self, steps: List[LaneStep], end: Callable[[int, int], NoReturn], sink_file: str) -> None:
        """end: ends the process, given the position of the step that failed and an exit code; sink_file: its facts."""
        self._steps = steps
        self._end = end
        self._sink_file = sink_file
        names = [standard.standard_name(step.arguments[0]) for step in steps]
        self._cut = halves.place_of_cut(names, len(os.sched_getaffinity(0)))

    def run(self, stdin: Any, stdout: Any) -> None:
        """Run all steps; stdin, stdout: of the first and of the last."""
        spew, resource_iterator = wrapper.spew, input_processor.ResourceIterator
        sys.stdout = _StepPrints(self._steps[-1], stdout)
        before: Optional[LaneStep] = None
        for step in self._steps:
            attribution.otherwise = step
            step.source = stdin if before is None else self._output_of(before, step)
            input_processor.ResourceIterator = resource_iterator if before is None else LinkedResource
            _use_spew(spew if step is self._steps[-1] else _Recorder(step))
            if step.is_sink:
                dppctl_wrapper.count_in_sink(datapackage_pipelines.wrapper, self._sink_file)
            self._run_script(step, stdout)
            before = step
        for step in reversed(self._steps[1:]):
            if isinstance(step.source, LinkedInput):
                step.source.drain()

    @attribution.is_of_step
    def _run_script(self, step: LaneStep, stdout: Any) -> None:
        wrapper.cache, wrapper.stdout, sys.stdin = "", stdout, step.source
        try:
            run_script(step.arguments)
        except BaseException as error:  # noqa: BLE001 - whatever ends a script ends the pipeline
            code = exit_code_of(error)
            if code:
                self._fail(step, code)

    def _output_of(self, step: LaneStep, following: LaneStep) -> "LinkedInput":
        """Return what the following step reads of what this one spewed."""
        if step.spewed is None:
            return LinkedInput([], iter(()))
        dependencies = json.dumps(wrapper.dependency_datapackage_urls)
        descriptor = json.dumps(step.spewed.descriptor, sort_keys=True, ensure_ascii=True)
        is_cut = step.position == self._cut
        passed_on = (line_of if is_cut else with_line) if following.is_sink else Link().hop
        rows = self._spewed_rows(step, step.spewed, passed_on)
        if is_cut:
            rows = halves.in_two(rows, lambda: os._exit(1))
        return LinkedInput([dependencies, descriptor], rows)

    @attribution.is_of_step
    def _spewed_rows(self, step: LaneStep, spewed: Spewed, passed_on: Callable[[Any], Any]) -> Iterator[Any]:
        """Yield what `spew` would write: BLANK and the rows of each resource, then BLANK and a line with the stats."""
        try:
            expected = len(list(filter(streaming, spewed.descriptor.get("resources", []))))
            found = count = 0
            for resource in spewed.resources:
                if hasattr(resource, "it") and resource.it is None:
                    continue
                found += 1
                yield BLANK
                for row in _with_errors_told(resource):
                    try:
                        passed = passed_on(row)
                    except TypeError as error:
                        logging.error("Failed to encode row to JSON: %s\nOffending row: %r", error, row)
                        raise
                    count += 1
                    yield passed
            if found != expected:
                logging.error("Expected to see %d resource(s) but spewed %d", expected, found)
            assert found == expected  # noqa: S101 - dpp's own
            stats = _stats_line(step, spewed)
            yield BLANK
            if count > 0:
                logging.info("Processed %d rows", count)
            if spewed.finalizer is not None:
                spewed.finalizer()
            yield LazyJsonLine((stats,), {})
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the steps behind it must not see it
            self._fail(step, exit_code_of(error) or 1)

    def _fail(self, step: LaneStep, code: int) -> NoReturn:
        for each in self._steps:
            each.log.flush()
        self._end(step.position, code)


class LinkedInput:
    """Stands for the stdin of a step whose predecessor is in the lane."""

    def __init__(self, lines: List[str], rows: Iterator[Any]) -> None:
        """lines: the first ones, rows: what `_spewed_rows` yields."""
        self._lines = lines
        self.rows = rows

    def readline(self) -> str:
        """Return the next line as the step before would have written it."""
        if self._lines:
            return self._lines.pop(0) + "\n"
        for row in self.rows:
            if row is BLANK:
                self._look_ahead()
                return "\n"
            return (row if isinstance(row, str) else line_of(row)) + "\n"
        return ""

    def drain(self) -> None:
        """Have the step before come to its end."""
        for _ in self.rows:
            pass

    def _look_ahead(self) -> None:
        """Have the steps before run on a little: what fails soon does so before this step touches anything.

        So it is in dpp, where the first rows wait in the buffer of a pipe; a table is not dropped for rows that fail.
        """
        ahead, size = [], 0
        for row in self.rows:
            ahead.append(row)
            size += size_of(row)
            if size > BYTES_AHEAD:
                break
        self.rows = itertools.chain(ahead, self.rows)


class LinkedResource(input_processor.ResourceIterator):  # type: ignore[misc]
    """Gives a step the rows of a resource, from a LinkedInput."""

    stopped: bool

    def __next__(self) -> Any:
        """Return the next row."""
        row = BLANK if self.stopped else next(self.infile.rows, BLANK)
        if row is BLANK:
            self.stopped = True
            raise StopIteration
        return row

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows."""
        if not self.stopped:
            yield from iter(self.infile.rows.__next__, BLANK)
            self.stopped = True


class _Recorder:
    """Stands for `spew`: takes note of what a script hands over."""

    def __init__(self, step: LaneStep) -> None:
        self._step = step

    def __call__(self, dp: Any, resources_iterator: Any, stats: Any = None, finalizer: Any = None) -> None:
        self._step.redirected = isinstance(sys.stdout, wrapper.StdoutWriter)
        self._step.spewed = Spewed(dp, resources_iterator, stats, finalizer)


class _StepPrints:
    """Stands for `sys.stdout`: what is printed is logged where dpp logs it, else it goes the way of the rows."""

    encoding, errors = "utf-8", "strict"

    def __init__(self, last: LaneStep, stdout: Any) -> None:
        self._last = last
        self._stdout = stdout

    def write(self, text: str) -> int:
        step = attribution.step()
        if step.redirected:
            if text.strip():
                logging.info(text.strip())
        elif step is self._last:
            self._stdout.write(text)
        return len(text)

    def flush(self) -> None:
        self._stdout.flush()

    def isatty(self) -> bool:
        return False


def _use_spew(spew: Callable[..., None]) -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("datapackage_pipelines.lib")]
    for module in (wrapper, datapackage_pipelines.wrapper, *modules):
        if hasattr(module, "spew"):
            module.spew = spew


def _with_errors_told(resource: Any) -> Iterator[Any]:
    """Yield its rows; what they cannot be cast for is logged as dpp does."""
    try:
        yield from resource
    except CastError as error:
        for each in error.errors:
            logging.error("Failed to cast row: %s", each)
        raise


def _stats_line(step: LaneStep, spewed: Spewed) -> str:
    """Return the stats of the steps up to this one, as dpp writes them."""
    stats: Any = {}
    if step.arguments[1] != "0":
        line = step.source.readline().strip()
        if line:
            try:
                stats = json.loads(line)
                assert stats is None or isinstance(stats, dict)  # noqa: S101 - dpp's own
            except json.JSONDecodeError:
                logging.error("Failed to parse stats: %r", line)
    if spewed.stats is not None:
        stats.update(spewed.stats)
    return str(json.dumps(stats, sort_keys=True, ensure_ascii=True))
