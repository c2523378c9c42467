"""Extends dpp's processors (dpp 2.2): `datapackage_pipelines.wrapper`, and what dpp's own processors call.

- Specs of dpp 1.x say `parameters, datapackage, resources, stats = ingest() + ({},)`, or `ingest()[1]`: there `ingest`
  gave a tuple, in 2.x it gives a ProcessorContext, which now can be used as that tuple.
- The sink, the last processor of every pipeline, counts what comes out for the receipt: the resources with their
  fields and their profile (runner/profile.py), and each one's rows, their bytes as JSON lines, and one MD5 over all
  of them.
- An exception that ends a processor is printed as Python prints it, within limits: dpp logs it piece by piece, and
  discards lines of more than 64 KiB.
- A line before a processor's output that is none of dpp's, such as a `print`, ends the next processor with that reason.
- `sort` without `reverse:` sorts upwards: dpp passes None, with which kvfile fails while it has all rows in memory.
"""

import hashlib
import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any, Dict, Iterator, List, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
UNIQUE_FILE = "unique.json"  # beside the file of the facts: which columns are to be checked for duplicates
# dpp keeps the last 1,000 lines of a processor, and of those below 64 KiB.
TRACEBACK_LINES = 400
TRACEBACK_LINE_CHARACTERS = 4000


def extend(wrapper: Any, _target: str) -> None:
    """Change the module `datapackage_pipelines.wrapper.wrapper` that was just imported."""
    sys.excepthook = print_exception
    context = getattr(wrapper, "ProcessorContext", None)
    if context is not None:
        context.__len__ = lambda self: sum(1 for _ in self)
        context.__getitem__ = lambda self, index: tuple(self)[index]
        context.__add__ = lambda self, more: tuple(self) + tuple(more)
        context.__radd__ = lambda self, before: tuple(before) + tuple(self)
    target = os.environ.get("DPPCTL_RESOURCES_FILE")
    if target and sys.argv[0].replace(os.sep, "/").endswith("lib/internal/sink.py"):
        count_in_sink(wrapper, target)


def count_in_sink(wrapper: Any, target: str) -> None:
    """Have what `wrapper.ingest` gives the sink counted, and the facts about it written to the file `target`."""
    ingest = wrapper.ingest
    wrapper.ingest = lambda *args, **kwargs: _counting(ingest(*args, **kwargs), target)


def extend_input(input_processor: Any, _target: str) -> None:
    """Change the module `datapackage_pipelines.wrapper.input_processor`: dpp goes on with None for what is not JSON."""
    read_json = input_processor.read_json

    def read(*args: Any, **kwargs: Any) -> Any:
        value = read_json(*args, **kwargs)
        if value is None:
            sys.exit(1)  # the reason is logged, with the line
        return value

    input_processor.read_json = read


def extend_sort(sort_rows: Any, _target: str) -> None:
    """Change the module `dataflows.processors.sort_rows`."""
    sorter = sort_rows._sorter
    sort_rows._sorter = lambda rows, key_calc, reverse, batch_size: sorter(rows, key_calc, bool(reverse), batch_size)


def print_exception(kind: Any, error: Any, trace: Any) -> None:
    """Print the exception with its causes, without frames of ours; `sys.stderr` may be dpp's, which takes it apart."""
    described = traceback.TracebackException(kind, error, trace)
    waiting = [described]
    while waiting:
        each = waiting.pop()
        each.stack[:] = [frame for frame in each.stack if not frame.filename.startswith(HERE)]
        waiting.extend(cause for cause in (each.__cause__, each.__context__) if cause is not None)
    lines = "".join(described.format()).splitlines()
    left_out = len(lines) - TRACEBACK_LINES
    if left_out > 0:
        half = TRACEBACK_LINES // 2
        lines[half:-half] = [f"  ... ({left_out} lines left out)"]
    stream = sys.__stderr__ or sys.stderr
    stream.write("".join(line[:TRACEBACK_LINE_CHARACTERS] + "\n" for line in lines))
    stream.flush()


def _counting(ingested: Any, target: str) -> Tuple[Any, Any, Any]:
    parameters, datapackage, resources = tuple(ingested)[:3]
    return parameters, datapackage, _count(datapackage, resources, target)


def _count(datapackage: Dict[str, Any], resources: Any, target: str) -> Iterator[Iterator[Any]]:
    profile, unique = (import_module("dppctl_hooks." + name) for name in ("profile", "unique"))
    asked = _asked(target)
    digest = hashlib.md5()  # noqa: S324 - a checksum, and the one that dpp itself uses
    size = [0]
    described, streamed = [], []
    for resource in datapackage.get("resources", []):
        facts = _described(resource)
        checks = unique.checks_of(asked, facts)
        described.append((facts, checks))
        if resource.get("dpp:streaming"):
            streamed.append((facts, checks))
        else:
            for check in checks:
                check.give_up("its rows are not in the pipeline")
    for (facts, checks), resource in zip(streamed, resources):
        digest.update(json.dumps([facts["name"], facts["fields"]], sort_keys=True).encode("ascii"))
        facts["rows"] = 0
        counted = profile.Profile(facts["fields"], checks)
        yield _counted(resource, facts, counted, digest, size)
        counted.complete()
    for facts, checks in described:
        if checks:
            facts["unique"] = [check.facts() for check in checks]
    found = [facts for facts, _ in described]
    _write(target, {"resources": found, "bytes": size[0], "hash": digest.hexdigest() if streamed else None})


def _asked(target: str) -> List[Dict[str, Any]]:
    """Return what the file beside the target asks for: columns that are to be checked for duplicates."""
    try:
        with open(os.path.join(os.path.dirname(target), UNIQUE_FILE)) as file:
            return json.load(file)  # type: ignore[no-any-return]
    except FileNotFoundError:
        return []


def _counted(rows: Any, facts: Dict[str, Any], profile: Any, digest: Any, size: List[int]) -> Iterator[Any]:
    batches = rows.row_batches() if hasattr(rows, "row_batches") else None  # a lane has them
    if batches is None:
        yield from _counted_rows(rows, facts, profile, digest, size)
        return
    for batch in batches:
        if not hasattr(batch, "lines"):
            yield from _counted_rows(batch.rows(), facts, profile, digest, size)
            continue
        facts["rows"] += batch.count
        encoded = "".join(batch.lines).encode("utf8")
        size[0] += len(encoded) + batch.count
        digest.update(encoded)
        columns = batch.known_columns()
        if columns is None:
            profile.add_lines(batch.lines)
        else:
            profile.add_columns(columns, batch.count)
        yield from batch.lines


def _counted_rows(rows: Any, facts: Dict[str, Any], profile: Any, digest: Any, size: List[int]) -> Iterator[Any]:
    for row in rows:
        facts["rows"] += 1
        plain = None
        if type(row) is tuple:  # a line and its row, in a lane
            line, plain = row
        else:
            line = row if type(row) is str else getattr(row, "line", None)  # dpp 2 passes rows on unparsed
        if line is None:
            line = json.dumps(row, sort_keys=True, default=str)
        encoded = line.encode("utf8")
        size[0] += len(encoded) + 1
        digest.update(encoded)
        profile.add(line, plain)
        yield row


def _described(resource: Dict[str, Any]) -> Dict[str, Any]:
    fields = resource.get("schema", {}).get("fields", [])
    return {
        "name": resource.get("name"),
        "rows": None,
        "fields": [{"name": field.get("name"), "type": field.get("type", "string")} for field in fields],
    }


def _write(target: str, facts: Dict[str, Any]) -> None:
    with open(target + ".part", "w") as file:
        json.dump(facts, file)
    os.replace(target + ".part", target)
