"""Extends `datapackage_pipelines.wrapper` (dpp 2.2) in a processor.

- Specs of dpp 1.x say `parameters, datapackage, resources, stats = ingest() + ({},)`: there `ingest` gave a tuple,
  in 2.x it gives a ProcessorContext, which now can be added to as well.
- The sink, the last processor of every pipeline, counts what comes out for the receipt: the resources with their
  fields, and each one's rows, their bytes as JSON lines, and one MD5 over all of them.
"""

import hashlib
import json
import os
import sys
from typing import Any, Dict, Iterator, List, Tuple


def extend(wrapper: Any) -> None:
    """Change the module `datapackage_pipelines.wrapper.wrapper` that was just imported."""
    context = getattr(wrapper, "ProcessorContext", None)
    if context is not None:
        context.__add__ = lambda self, more: tuple(self) + tuple(more)
    target = os.environ.get("DPPCTL_RESOURCES_FILE")
    if target and sys.argv[0].replace(os.sep, "/").endswith("lib/internal/sink.py"):
        ingest = wrapper.ingest
        wrapper.ingest = lambda *args, **kwargs: _counting(ingest(*args, **kwargs), target)


def _counting(ingested: Any, target: str) -> Tuple[Any, Any, Any]:
    parameters, datapackage, resources = tuple(ingested)[:3]
    return parameters, datapackage, _count(datapackage, resources, target)


def _count(datapackage: Dict[str, Any], resources: Any, target: str) -> Iterator[Iterator[Any]]:
    described = [_described(resource) for resource in datapackage.get("resources", [])]
    streamed = [
        facts for facts, resource in zip(described, datapackage.get("resources", [])) if resource.get("dpp:streaming")
    ]
    digest = hashlib.md5()  # noqa: S324 - a checksum, and the one that dpp itself uses
    size = [0]
    for facts, resource in zip(streamed, resources):
        digest.update(json.dumps([facts["name"], facts["fields"]], sort_keys=True).encode("ascii"))
        facts["rows"] = 0
        yield _counted(resource, facts, digest, size)
    _write(target, {"resources": described, "bytes": size[0], "hash": digest.hexdigest() if streamed else None})


def _counted(rows: Any, facts: Dict[str, Any], digest: Any, size: List[int]) -> Iterator[Any]:
    for row in rows:
        facts["rows"] += 1
        line = getattr(row, "line", None)  # dpp 2 passes rows on unparsed
        if line is None:
            line = json.dumps(row, sort_keys=True, default=str)
        encoded = line.encode("utf8")
        size[0] += len(encoded) + 1
        digest.update(encoded)
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
