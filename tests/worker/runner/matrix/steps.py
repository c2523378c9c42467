"""Short ways to write steps of the matrix's pipelines."""

from typing import Any

Step = dict[str, Any]


def step(processor: str, /, **parameters: Any) -> Step:
    """Return a step with its parameters."""
    return {"run": processor, "parameters": parameters} if parameters else {"run": processor}


def load(source: str, name: str = "t", **parameters: Any) -> Step:
    # Of a few words no encoding can be guessed.
    return step("load", **{"from": source, "name": name, "encoding": "utf-8", **parameters})


def resource(name: str | list[str] = "awkward", package: str = "package", **parameters: Any) -> Step:
    which = {"resource": name} if isinstance(name, str) else {"resources": {each: {} for each in name}}
    return step("load_resource", url=f"{package}/datapackage.json", **which, **parameters)


def typed(**types: Any) -> Step:
    return step("set_types", types={name: {"type": kind} for name, kind in types.items()})


def to_path(name: str, **parameters: Any) -> Step:
    return step("dump_to_path", **{"out-path": f"data/{name}", **parameters})


def old_to_path(name: str, **parameters: Any) -> Step:
    return step("dump.to_path", **{"out-path": f"data/{name}", **parameters})


def to_sql(table: str, resource_name: str = "t", processor: str = "dump.to_sql", **options: Any) -> Step:
    table_options = {"resource-name": resource_name, **options}
    return step(processor, engine="env://DPP_DB_ENGINE", tables={table: table_options})


PEOPLE = [load("people.csv", "people"), typed(key="integer", score="number")]
