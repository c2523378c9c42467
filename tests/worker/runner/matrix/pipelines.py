"""The pipelines of the matrix: every standard processor, alone and in company, with what succeeds and what fails."""

import json

from tests.worker.runner.matrix.failing import FAILING
from tests.worker.runner.matrix.files import FIELDS, TYPES
from tests.worker.runner.matrix.steps import PEOPLE, Step, load, old_to_path, resource, step, to_path, to_sql, typed

JOINED = {"title": {"name": "title"}}
SUMS = {"total": {"name": "score", "aggregate": "sum"}, "all": {"name": "key", "aggregate": "array"}}
SOURCE = {"name": "groups", "key": ["group"]}

PIPELINES: dict[str, list[Step]] = {
    "update-package": [step("update_package", name="a", title="שם", list=[1, {"b": None}])],
    "add-metadata": [step("add_metadata", name="meta", licence="none")],
    "load": [load("words.csv"), to_path("load")],
    "load-strings": [load("awkward.csv", infer_strategy="strings", cast_strategy="strings"), to_path("load-strings")],
    "load-typed": [
        load("awkward.csv", override_schema={"fields": FIELDS}, cast_strategy="schema"),
        to_path("load-typed"),
    ],
    "load-limited": [load("people.csv", limit_rows=5), to_path("load-limited")],
    "load-unstripped": [load("words.csv", strip=False), to_path("load-unstripped")],
    "load-json": [load("page.json"), to_path("load-json")],
    "load-semicolons": [load("semicolons.csv", delimiter=";"), to_path("load-semicolons")],
    "load-empty": [load("empty.csv"), to_path("load-empty")],
    "load-spaces": [load("spaces.csv"), to_path("load-spaces")],
    "load-deduplicated": [load("duplicate-headers.csv", deduplicate_headers=True), to_path("load-deduplicated")],
    "load-missing-values": [
        load("words.csv", override_schema={"missingValues": ["", "NA"]}, extract_missing_values=True),
        to_path("load-missing-values"),
    ],
    "load-package": [step("load", **{"from": "package/datapackage.json"}), to_path("load-package")],
    "load-package-one": [
        step("load", **{"from": "package/datapackage.json", "resources": "people"}),
        to_path("load-package-one"),
    ],
    "resource": [resource(), old_to_path("resource")],
    "resource-new": [resource(), to_path("resource-new")],
    "resource-two": [resource(["awkward", "people"]), old_to_path("resource-two")],
    "resource-limited": [resource("people", **{"limit-rows": 4, "log-progress-rows": 2}), old_to_path("limited")],
    "resource-by-number": [
        step("load_resource", url="package/datapackage.json", resource=1),
        old_to_path("by-number"),
    ],
    "resource-keyed": [resource(package="keyed"), to_sql("keyed", "awkward", "dump_to_sql")],
    "resource-not-streamed": [resource(stream=False), step("update_package", name="b")],
    "resource-optional": [step("load_resource", url="nowhere/datapackage.json", resource="t", required=False)],
    "metadata": [step("load_metadata", url="package/datapackage.json"), *PEOPLE, to_path("metadata")],
    "remote": [
        step("add_resource", url="people.csv", name="people"),
        step("stream_remote_resources"),
        old_to_path("remote"),
    ],
    "remote-txt": [
        step("add_resource", url="lines.txt", name="lines", format="txt"),
        step("stream_remote_resources"),
        old_to_path("remote-txt"),
    ],
    "types": [load("awkward.csv"), step("set_types", types=TYPES), to_path("types")],
    "types-old-dumper": [load("awkward.csv"), step("set_types", types=TYPES), old_to_path("types-old-dumper")],
    "types-removed": [load("awkward.csv"), step("set_types", types={"note": None, **TYPES}), to_path("removed")],
    "types-regex": [load("wide.csv"), step("set_types", types={"20.*": {"type": "integer"}}), to_path("regex")],
    "validate": [load("people.csv"), step("set_types"), to_path("validate")],
    "sort": [*PEOPLE, step("sort", resources="people", **{"sort-by": "{key}"}), to_path("sort")],
    "sort-down": [*PEOPLE, step("sort", reverse=True, **{"sort-by": "{score}"}), old_to_path("sort-down")],
    "sort-awkward": [resource(), step("sort", **{"sort-by": "{id}", "reverse": True}), to_path("sort-awkward")],
    "filter": [*PEOPLE, step("filter", **{"in": [{"group": "a"}, {"group": "b"}]}), to_path("filter")],
    "filter-out": [*PEOPLE, step("filter", out=[{"key": 3}]), to_path("filter-out")],
    "find-replace": [
        resource(),
        step("find_replace", fields=[{"name": "name", "patterns": [{"find": "o", "replace": "0"}]}]),
        to_path("find-replace"),
    ],
    "delete-fields": [resource(), step("delete_fields", fields=["note", "s.*"]), to_path("delete-fields")],
    "computed": [
        *PEOPLE,
        step(
            "add_computed_field",
            fields=[
                {"target": "label", "operation": "format", "with": "{group}-{key}"},
                {"target": "total", "operation": "sum", "source": ["key", "score"]},
                {"target": "most", "operation": "max", "source": ["key", "score"]},
                {"target": "fixed", "operation": "constant", "with": "x"},
                {"target": "joined", "operation": "join", "source": ["group", "key"], "with": ","},
            ],
        ),
        to_path("computed"),
    ],
    "concatenate": [
        *PEOPLE,
        load("groups.csv", "groups"),
        step(
            "concatenate",
            sources=["people", "groups"],
            target={"name": "both", "path": "both.csv"},
            fields={"group": [], "what": ["title"]},
        ),
        to_path("concatenate"),
    ],
    "deduplicate": [
        load("people.csv", override_schema={"primaryKey": ["group"]}),
        step("deduplicate"),
        to_path("deduplicate"),
    ],
    "duplicate": [
        *PEOPLE,
        step("duplicate", source="people", **{"target-name": "again", "target-path": "again.csv"}),
        to_path("duplicate"),
    ],
    "duplicate-awkward": [
        resource(),
        step("duplicate", source="awkward", duplicate_to_end=True, **{"target-name": "x", "target-path": "x.csv"}),
        old_to_path("duplicate-awkward"),
    ],
    "join": [
        load("groups.csv", "groups"),
        *PEOPLE,
        step("join", source=SOURCE, target={"name": "people", "key": ["group"]}, fields=JOINED, full=False),
        to_path("join"),
    ],
    "join-full": [
        load("groups.csv", "groups"),
        *PEOPLE,
        step(
            "join",
            source={**SOURCE, "delete": True},
            target={"name": "people", "key": ["group"]},
            fields=JOINED,
            mode="full-outer",
        ),
        to_path("join-full"),
    ],
    "join-aggregated": [
        *PEOPLE,
        load("groups.csv", "groups"),
        step(
            "join",
            source={"name": "people", "key": ["group"]},
            target={"name": "groups", "key": ["group"]},
            fields=SUMS,
        ),
        old_to_path("join-aggregated"),
    ],
    "join-self": [
        *PEOPLE,
        step(
            "join",
            source={"name": "people", "key": ["group"]},
            target={"name": "people", "key": ["group"]},
            fields={"group": None, **SUMS},
        ),
        to_path("join-self"),
    ],
    "unpivot": [
        load("wide.csv"),
        step(
            "unpivot",
            unpivot=[{"name": "(20[0-9]+)", "keys": {"year": r"\1"}}],
            extraKeyFields=[{"name": "year", "type": "year"}],
            extraValueField={"name": "value", "type": "number"},
        ),
        to_path("unpivot"),
    ],
    "update-resource": [
        load("people.csv"),
        step("update_resource", resources="t", metadata={"name": "new", "path": "new/place.csv", "x": [1]}),
        to_path("update-resource"),
    ],
    "printer": [*PEOPLE, step("printer"), to_path("printer")],
    "to-zip": [resource("people"), step("dump_to_zip", **{"out-file": "data/to-zip.zip"})],
    "old-to-zip": [resource("people"), step("dump.to_zip", **{"out-file": "data/old-to-zip.zip"})],
    "to-json": [resource(), to_path("to-json", format="json")],
    "old-to-json": [resource(), old_to_path("old-to-json", format="json")],
    "to-path-hashed": [resource("people"), old_to_path("hashed", **{"add-filehash-to-path": True})],
    "to-path-pretty": [resource("people"), old_to_path("pretty", **{"pretty-descriptor": True})],
    "to-path-counters": [
        resource("people"),
        old_to_path("counters", counters={"datapackage-bytes": "size.all", "resource-hash": "md5"}),
    ],
    "to-path-twice": [*PEOPLE, to_path("twice-1"), old_to_path("twice-2"), step("update_package", name="after")],
    "to-sql": [*PEOPLE, to_sql("to_sql", "people")],
    "to-sql-awkward": [resource(), to_sql("awkward", "awkward", "dump_to_sql")],
    "to-sql-append-1": [*PEOPLE, to_sql("appended", "people")],
    "to-sql-append-2": [*PEOPLE, to_sql("appended", "people", mode="append")],
    "to-sql-update-1": [*PEOPLE, to_sql("updated", "people")],
    "to-sql-update-2": [
        load("people.csv", "people", limit_rows=9),
        step("set_types", types={"key": {"type": "integer"}, "score": {"type": "number"}}),
        step("add_computed_field", fields=[{"target": "group", "operation": "constant", "with": "z"}]),
        to_sql("updated", "people", mode="update", update_keys=["key"]),
    ],
    "to-sql-rewrite-1": [*PEOPLE, to_sql("rewritten", "people")],
    "to-sql-rewrite-2": [*PEOPLE, step("filter", **{"in": [{"group": "c"}]}), to_sql("rewritten", "people")],
    "fails-rewrite-3": [
        load("bad-number.csv", "people"),
        step("set_types", types={"id": {"type": "integer"}, "amount": {"type": "number"}}),
        to_sql("rewritten", "people"),
    ],
    "fails-coded": [
        load(
            "coded.csv",
            override_schema={"fields": [{"name": "id"}, {"name": "info", "type": "object"}]},
            cast_strategy="schema",
        ),
        to_path("coded"),
    ],
    "to-sql-indexed": [*PEOPLE, to_sql("indexed", "people", indexes_fields=[["group"], ["key", "score"]])],
    "flow": [{"flow": "rows", "parameters": {"rows": 120}}, to_path("flow")],
    "custom": [*PEOPLE, step("shout"), to_path("custom")],
    "custom-drops": [*PEOPLE, step("shout", drops=4), step("sort", **{"sort-by": "{group}"}), old_to_path("drops")],
    "custom-awkward": [resource(), step("shout"), to_sql("shouted", "awkward", "dump_to_sql")],
    "custom-first-and-last": [{"flow": "rows"}, step("update_package", name="c"), step("tuple")],
    "custom-lines": [step("prints"), step("filter", out=[{"a": 5}]), step("update_package", title="lines")],
    "custom-twice": [resource(), step("tuple"), step("shout"), old_to_path("custom-twice")],
    # So many rows that a lane is cut in two while it runs, and that a sort keeps them on disk.
    "many": [
        load("many.csv", "people"),
        typed(id="integer"),
        step("add_computed_field", fields=[{"target": "double", "operation": "sum", "source": ["id", "id"]}]),
        to_path("many"),
        to_sql("many", "people"),
    ],
    "many-sorted": [
        load("many.csv", "people"),
        typed(id="integer"),
        step("sort", **{"sort-by": "{word}"}),
        step("filter", out=[{"id": 3}]),
        old_to_path("many-sorted"),
    ],
    "many-custom": [load("many.csv", "people"), step("shout"), step("filter", out=[{"id": "3"}]), to_path("shouts")],
    "fails-many": [
        load("many-bad.csv", "people", infer_strategy="strings"),
        typed(id="integer"),
        step("filter", out=[{"word": "y"}]),
        to_sql("fails_many", "people"),
    ],
    **FAILING,
}
# Those that write tables of little size; a bad row among them.
OF_POSTGRESQL = [name for name in PIPELINES if name.startswith(("to-sql", "fails-rewrite", "fails-key"))]
OF_POSTGRESQL += ["fails-bad-number-late", "custom-awkward", "resource-keyed"]


def spec() -> str:
    """Return the pipeline-spec.yaml with all of them; those of one table come one after the other."""
    return json.dumps({name: {"pipeline": steps} for name, steps in PIPELINES.items()}, indent=1, ensure_ascii=False)
