"""Takes rows over the link between two steps of a lane, over its pipe, and over dpp's own lines of JSON."""

from importlib import import_module
from typing import Any

from tests.support.quick.comparing import outcome, serve

extended_json = import_module("datapackage_pipelines.utilities.extended_json")
batches = import_module("dppctl_hooks.batches")
lined = import_module("dppctl_hooks.lined")
lines = import_module("dppctl_hooks.lines")
link = import_module("dppctl_hooks.link")
packed = import_module("dppctl_hooks.packed")


def by_lines(row: Any) -> Any:
    """Return the row as the next process reads it."""
    line = extended_json.json.dumpl(row, sort_keys=True, ensure_ascii=True)
    return list(extended_json.json.loadl(line).items())


def by_link(row: Any) -> Any:
    """Return the row as the next step of a lane reads it."""
    return list(linked.hop(row).items())


def by_batch(row: Any) -> Any:
    """Return the row as the next step of a lane reads it, from a batch of three that goes through the lane's pipe."""
    found = [packed.unpacked(packed.packed(batch)) for batch in linked.hop_all(batches.in_batches([row, row, row], 2))]
    rows = [passed for batch in found for passed in batch.rows()]
    assert len({repr(passed.items()) for passed in rows}) == 1
    assert len(rows) == 3
    return list(rows[0].items())


def by_written_batch(row: Any) -> Any:
    """Return the row as the next process reads it that has the lines of a batch, and takes them apart together."""
    texts = [text for batch in link.to_lines(batches.in_batches([row, row])) for text in link_lines(batch)]
    assert texts == [extended_json.json.dumpl(row, sort_keys=True, ensure_ascii=True)] * 2
    read = lined.LinedBatch(texts)
    rows = read.rows() if read.columns is None else batches.rows_of(read.columns, read.count)
    return list(rows[1].items())


def link_lines(batch: Any) -> Any:
    """Return the lines in a batch of lines."""
    return batch.lines if isinstance(batch, lined.LinedBatch) else batch.rows()


def difference(row: Any) -> Any:
    """Return what is unlike: the items of a row, their order and types, or the error; and whether it was changed."""
    before = repr(row)
    expected = outcome(by_lines, row)
    unlike = [found for way in (by_link, by_batch, by_written_batch) if (found := outcome(way, row)) != expected]
    return [*unlike, expected] * bool(unlike) + ([repr(row)] if repr(row) != before else [])


if __name__ == "__main__":
    linked = link.Link()
    lines._codecs.append(lines.Codec(extended_json))  # and dpp's own stays in its place
    serve(difference)
