"""Takes rows through steps of dataflows with their own code, one at a time, and with the quick one, in batches."""

import copy
from importlib import import_module
from typing import Any

from dataflows import Flow
from dppctl_hooks import batches
from dppctl_hooks.quick import profiles, steps

from tests.support.quick.comparing import loaded_again, outcome, serve

NAMES = ("filter_rows", "delete_fields", "add_computed_field")
# `import … as` would find the function that has the name of its module.
quick: Any = {name: import_module(f"dataflows.processors.{name}") for name in NAMES}


def difference(case: Any) -> Any:
    """Return what differs of the rows, or the error: (name of the step, its parameters, names of fields, rows)."""
    name, parameters, fields, rows = case
    answers = []
    for modules in (before, quick):
        given = copy.deepcopy(rows)
        found: list[Any] = []
        step = getattr(modules[name], name)(*copy.deepcopy(parameters))
        passed = iter(given) if modules is before else batches.RowBatches.of(batches.in_batches(given, 1))
        answers.append([outcome(found.extend, _through(step, fields, passed)), [list(row.items()) for row in found]])
    return [] if repr(answers[0]) == repr(answers[1]) else answers


def _through(step: Any, fields: Any, rows: Any) -> Any:
    """Yield the rows behind a step, which dataflows calls with a package."""
    schema = {"fields": [{"name": name, "type": "any"} for name in fields]}
    descriptor = {"name": "p", "resources": [{"name": "r", "path": "r.csv", "schema": schema}]}
    stream = Flow(_package(descriptor, rows), step).datastream()
    for resource in stream.res_iter:
        yield from resource


def _package(descriptor: Any, rows: Any) -> Any:
    def source(package: Any) -> Any:
        package.pkg.descriptor.update(copy.deepcopy(descriptor))
        yield package.pkg
        yield rows

    return source


if __name__ == "__main__":
    before = {name: loaded_again(module) for name, module in quick.items()}
    assert steps.applies() is None, steps.applies()
    steps.install()
    profiles.install()  # for both: nine tenths of the time would go into descriptors, which are compared by `profiles`
    serve(difference)
