"""The pipelines of the matrix that fail, each in its own way."""

from tests.worker.runner.matrix.steps import PEOPLE, Step, load, old_to_path, resource, step, to_path, to_sql, typed

SOURCE = {"name": "groups", "key": ["group"]}
FAILING: dict[str, list[Step]] = {
    "fails-no-file": [load("nowhere.csv"), to_path("no-file")],
    "fails-no-package": [step("load_resource", url="nowhere/datapackage.json", resource="t"), to_path("no-package")],
    "fails-no-resource": [resource("other"), to_path("no-resource")],
    "fails-broken-package": [step("load_resource", url="broken/datapackage.json", resource="t"), to_path("broken")],
    "fails-duplicate-headers": [load("duplicate-headers.csv"), to_path("headers")],
    "fails-bad-number": [load("bad-number.csv"), typed(amount="integer"), to_path("bad-number")],
    "fails-bad-number-late": [
        load("bad-number.csv", override_schema={"fields": [{"name": "id"}, {"name": "amount"}]}),
        typed(id="integer", amount="number"),
        to_sql("bad_number"),
    ],
    "fails-bad-date": [load("bad-date.csv", infer_strategy="strings"), typed(born="date"), old_to_path("bad-date")],
    "fails-key-twice": [
        load("people.csv", override_schema={"primaryKey": ["group"]}),
        step("filter", out=[{"key": 0}]),
        to_sql("key_twice"),
    ],
    "fails-no-parameters": [step("add_resource", name="x")],
    "fails-no-variable": [step("add_resource", name="x", url="env://NO_SUCH_VARIABLE")],
    "fails-no-join": [*PEOPLE, step("join", source=SOURCE, target={"name": "people", "key": ["group"]}, fields={})],
    "fails-no-database": [
        *PEOPLE,
        step("dump.to_sql", engine="sqlite:////nowhere/at/all", tables={"x": {"resource-name": "people"}}),
    ],
    "fails-no-name": [resource("people"), step("update_resource", metadata={"name": ""}), old_to_path("no-name")],
    "fails-sort-by": [*PEOPLE, step("sort", **{"sort-by": "{nothing}"}), to_path("sort-by")],
    "fails-in-custom": [*PEOPLE, step("shout", **{"fails-at": 20}), to_sql("never", "people")],
    "fails-custom-quits": [*PEOPLE, step("quits"), to_path("quits")],
}
