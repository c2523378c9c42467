"""Neighbouring standard steps in one process: dpp's own scripts, run one after another, rows passed without text.

Each script is executed with a `stdin` that gives what the step before it spewed; `spew` takes note of what the script
spews, and the last script's `spew`, dpp's own, pulls the rows through all of them. What fails ends the process at once,
as dpp kills a pipeline's processes, so nothing that is open is committed.
"""

import logging
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Optional, Tuple

import datapackage_pipelines.wrapper
import dppctl_wrapper
from datapackage_pipelines.utilities.extended_json import json
from datapackage_pipelines.utilities.resources import streaming
from datapackage_pipelines.wrapper import input_processor, wrapper
from tableschema.exceptions import CastError

from . import halves, standard
from .batches import Batch, RowSources, batches_in, in_batches
from .lined import LinedBatch
from .link import Link, to_lines, to_sink
from .linked import BLANK, LineResource, LinkedInput, LinkedResource
from .output import Attribution, StepLog
from .script import end_process, exit_code_of, run_script

attribution = Attribution()


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
        self._front: List[LaneStep] = []  # steps that run beside the others from the start
        if self._cut is not None and halves.is_cut_first(names, self._cut):
            self._front = steps[: self._cut + 1]
            self._cut = None

    def run(self, stdin: Any, stdout: Any) -> None:
        """Run all steps; stdin, stdout: of the first and of the last."""
        RowSources.give_batches = True
        sys.stdout = _StepPrints(self._steps[-1], stdout)
        if self._front:
            given = halves.beside(lambda: self._run_front(stdin, stdout), self._end_front, lambda: os._exit(1))
            stdin = LinkedInput([], given)
        steps = self._steps[len(self._front) :]
        self._run_steps(steps, stdin, stdout)
        behind = self._cut + 1 if self._cut is not None and halves.is_in_two() else 0
        _drain(steps[behind:])

    def _run_front(self, stdin: Any, stdout: Any) -> Iterator[Any]:
        """Run the steps that run beside the others; yield what the last of them writes: two lines, then items."""
        self._run_steps(self._front, stdin, stdout)
        spewed = self._spewed_by(self._front[-1], Link().hop_all)
        if spewed is not None:
            lines, items = spewed
            yield from lines
            yield from items
        _drain(self._front)

    def _end_front(self) -> NoReturn:
        for step in self._front:
            step.log.flush()
        end_process(0)

    def _run_steps(self, steps: List[LaneStep], stdin: Any, stdout: Any) -> None:
        spew = wrapper.spew
        before: Optional[LaneStep] = None
        for step in steps:
            attribution.otherwise = step
            step.source = stdin if before is None else self._output_of(before, step)
            is_linked = isinstance(step.source, LinkedInput)
            input_processor.ResourceIterator = LinkedResource if is_linked else LineResource
            _use_spew(spew if step.is_sink else self._writer(step) if step is self._steps[-1] else _Recorder(step))
            if step.is_sink:
                dppctl_wrapper.count_in_sink(datapackage_pipelines.wrapper, self._sink_file)
            self._run_script(step, stdout)
            before = step

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
        is_cut = step.position == self._cut
        spewed = self._spewed_by(step, to_sink if following.is_sink and not is_cut else Link().hop_all)
        if spewed is None:
            return LinkedInput([], iter(()))
        lines, items = spewed
        if is_cut:
            before = self._steps[: step.position + 1]
            items = halves.in_two(items, lambda: _drain(before), lambda: os._exit(1))
            items = _to_sink(items) if following.is_sink else items
        return LinkedInput(lines, items)

    def _spewed_by(
        self, step: LaneStep, passed_on: Callable[[Iterator[Batch]], Iterator[Batch]]
    ) -> Optional[Tuple[List[str], Iterator[Any]]]:
        """Return the first two lines that `spew` would write, and the items after them; None: it was not called."""
        if step.spewed is None:
            return None
        dependencies = json.dumps(wrapper.dependency_datapackage_urls)
        descriptor = json.dumps(step.spewed.descriptor, sort_keys=True, ensure_ascii=True)
        return [dependencies, descriptor], self._spewed_items(step, step.spewed, passed_on)

    def _writer(self, step: LaneStep) -> Callable[..., None]:
        """Return what stands for `spew` in the last step: it writes the same to stdout."""

        def spew(dp: Any, resources_iterator: Any, stats: Any = None, finalizer: Any = None) -> None:
            stdout = wrapper.stdout
            try:
                stdout.write(json.dumps(dp, sort_keys=True, ensure_ascii=True) + "\n")
                for item in self._spewed_items(step, Spewed(dp, resources_iterator, stats, finalizer), to_lines):
                    texts = [item or ""] if not isinstance(item, Batch) else _lines_in(item)
                    stdout.write("\n".join(texts) + "\n")
                    if item is BLANK:
                        stdout.flush()
                stdout.flush()
            except BrokenPipeError:
                logging.error("Output pipe disappeared!")
                sys.stderr.flush()
                sys.exit(1)

        return spew

    @attribution.is_of_step
    def _spewed_items(
        self, step: LaneStep, spewed: Spewed, passed_on: Callable[[Iterator[Batch]], Iterator[Batch]]
    ) -> Iterator[Any]:
        """Yield what `spew` would write: BLANK and the batches of each resource, then BLANK and a line of stats."""
        try:
            expected = len(list(filter(streaming, spewed.descriptor.get("resources", []))))
            found = count = 0
            for resource in spewed.resources:
                if hasattr(resource, "it") and resource.it is None:
                    continue
                found += 1
                yield BLANK
                batches = batches_in(resource)
                told = _with_errors_told(in_batches(resource) if batches is None else batches)
                for batch in passed_on(told):
                    count += batch.count
                    yield batch
            if found != expected:
                logging.error("Expected to see %d resource(s) but spewed %d", expected, found)
            assert found == expected  # noqa: S101 - dpp's own
            stats = _stats_line(step, spewed)
            yield BLANK
            if count > 0:
                logging.info("Processed %d rows", count)
            if spewed.finalizer is not None:
                spewed.finalizer()
            yield stats
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the steps behind it must not see it
            self._fail(step, exit_code_of(error) or 1)

    def _fail(self, step: LaneStep, code: int) -> NoReturn:
        for each in self._steps:
            each.log.flush()
        self._end(step.position, code)


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


def _drain(steps: List[LaneStep]) -> None:
    """Have what is before each of the steps come to its end."""
    for step in reversed(steps):
        if isinstance(step.source, LinkedInput):
            step.source.drain()


def _to_sink(items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, Batch):
            yield from to_sink(iter((item,)))
        else:
            yield item


def _lines_in(batch: Batch) -> List[str]:
    return batch.lines if isinstance(batch, LinedBatch) else batch.rows()


def _use_spew(spew: Callable[..., None]) -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("datapackage_pipelines.lib")]
    for module in (wrapper, datapackage_pipelines.wrapper, *modules):
        if hasattr(module, "spew"):
            module.spew = spew


def _with_errors_told(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches; what rows cannot be cast for is logged as dpp does."""
    try:
        yield from batches
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
