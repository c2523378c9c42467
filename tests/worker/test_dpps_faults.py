"""What plain dpp 2.2 gets wrong, and a run of the worker does not."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.worker import Worker

Files = Callable[[Mapping[str, str]], Path]


def rows_of(folder: Path) -> list[list[str]]:
    """Return the rows of the workload's data package, as texts."""
    return [line.split(",") for line in (folder / "data/t/t.csv").read_text("utf8").splitlines()[1:]]


@pytest.mark.parametrize(("reverse", "first"), [("", "1"), (", reverse: false", "1"), (", reverse: true", "30")])
def test_a_sort_of_few_rows_works_with_and_without_its_direction(
    worker: Worker, workload: Files, reverse: str, first: str
) -> None:
    spec = f"""
        a:
          pipeline:
          - {{run: load, parameters: {{from: in.csv, name: t}}}}
          - {{run: set_types, parameters: {{types: {{x: {{type: integer}}}}}}}}
          - {{run: sort, parameters: {{resources: t, sort-by: "{{x}}"{reverse}}}}}
          - {{run: dump_to_path, parameters: {{out-path: data/t}}}}
    """
    numbers = "\n".join(str(number * 7 % 31) for number in range(1, 31))
    folder = workload({"pipeline-spec.yaml": spec, "in.csv": f"x\n{numbers}\n"})
    outcome = worker.run(folder)
    assert outcome.code == 0, outcome
    assert rows_of(folder)[0] == [first]
    assert sorted(rows_of(folder), key=lambda row: int(row[0]), reverse="true" in reverse) == rows_of(folder)


HEBREW = "שלום לכולם, הכנסת היא בית הנבחרים של מדינת ישראל ומספר חבריה מאה ועשרים"
RUSSIAN = (
    "Государственная дума является нижней палатой парламента страны и принимает законы. Депутаты избираются гражданами "
    "на пять лет, заседания открыты, протоколы заседаний и результаты голосований публикуются на сайте"
)
FRENCH = "L'Assemblée nationale française siège à Paris où les députés élus débattent; après l'été, ça reprend déjà"


@pytest.mark.parametrize(
    ("encoding", "text"), [("windows-1255", HEBREW), ("cp1251", RUSSIAN), ("cp1252", FRENCH), ("utf8", HEBREW)]
)
def test_a_file_is_read_without_being_told_its_encoding(
    worker: Worker, workload: Files, encoding: str, text: str
) -> None:
    spec = """
        a:
          pipeline:
          - {run: load, parameters: {from: in.csv, name: t}}
          - {run: dump_to_path, parameters: {out-path: data/t}}
    """
    folder = workload({"pipeline-spec.yaml": spec})
    words = text.replace(",", "").split()
    (folder / "in.csv").write_bytes("\n".join(["id,word", *(f"{i},{w}" for i, w in enumerate(words))]).encode(encoding))
    outcome = worker.run(folder)
    assert outcome.code == 0, outcome
    assert [row[1] for row in rows_of(folder)] == words


IDS = [
    "כנסת", "مجلس", "дума", "βουλή", "国会", "ประชุม", "संसद", "խորհրդարան", "პარლამენტი", "국회", "über", "🗳️",
    "members,votes", "100%", "two words", "קו" * 60,
]  # fmt: skip


@pytest.mark.parametrize("ids", [IDS[start : start + 4] for start in range(0, len(IDS), 4)])
def test_pipelines_have_ids_of_any_script_and_sign_and_know_those_that_they_depend_on(
    worker: Worker, workload: Files, ids: list[str]
) -> None:
    step = "pipeline: [{run: update_package, parameters: {name: a}}]"
    specs = [f"'{name}': {{{step}}}" for name in ids]
    specs.append(f"last: {{dependencies: [{{pipeline: './{ids[0]}'}}], {step}}}")
    outcome = worker.run(workload({"pipeline-spec.yaml": "\n".join(specs)}), [*ids, "last"])
    assert outcome.code == 0, outcome
    assert sorted(outcome.results) == sorted(f"./{name}" for name in [*ids, "last"])


GENERATOR = """
    from datapackage_pipelines.generators import GeneratorBase

    class Generator(GeneratorBase):
        @classmethod
        def get_schema(cls):
            return {"type": "object"}

        @classmethod
        def generate_pipeline(cls, source):
            for number in source["upto"]:
                yield f"upto-{number}", {"pipeline": [{"run": "update_package", "parameters": {"name": f"n{number}"}}]}
"""


def test_a_generator_of_dpp_1_works_and_its_ids_are_below_the_folder_of_its_source(
    worker: Worker, workload: Files
) -> None:
    files = {"counting.source-spec.yaml": "upto: [1, 2]", "sub/counting.source-spec.yaml": "upto: [3]"}
    outcome = worker.run(workload({**files, "datapackage_pipelines_counting/__init__.py": GENERATOR}))
    assert outcome.code == 0, outcome
    assert sorted(outcome.results) == ["./sub/upto-3", "./upto-1", "./upto-2"]


def test_what_ingest_returns_can_be_used_as_the_tuple_that_it_was(worker: Worker, workload: Files) -> None:
    spec = """
        a:
          pipeline:
          - run: tuple
            code: |
                from datapackage_pipelines.wrapper import ingest, spew
                ingested = ingest()
                assert len(ingested) == 3
                assert ingested[0] == {"n": 7}
                assert ingested[-1] is ingested[2]
                assert list(ingested[:2]) == [ingested[0], ingested[1]]
                assert ("first",) + ingested == ("first", *ingested)
                assert list(reversed(ingested))[0] is ingested[2]
                assert ingested
                spew(ingested[1], ingested[2], {"n": ingested[0]["n"]})
            parameters: {n: 7}
    """
    outcome = worker.run(workload({"pipeline-spec.yaml": spec}))
    assert outcome.code == 0, outcome
    assert outcome.results["./a"]["stats"] == {"n": 7}


def test_an_invalid_pipeline_is_named_first_and_the_others_run(worker: Worker, workload: Files) -> None:
    good = "pipeline: [{run: update_package, parameters: {name: good}}]"
    spec = f"""
        good: {{{good}}}
        broken: {{pipeline: [{{run: nowhere}}]}}
        on-broken: {{dependencies: [{{pipeline: ./broken}}], {good}}}
    """
    folder = workload({"pipeline-spec.yaml": spec})
    outcome = worker.run(folder)
    assert outcome.code == 1
    assert outcome.errors == ["pipeline-spec.yaml:2: Unresolved processor: Couldn't resolve nowhere at " + str(folder)]
    assert {name: result["status"] for name, result in outcome.results.items()} == {
        "./good": "succeeded", "./broken": "failed", "./on-broken": "failed"}  # fmt: skip
    assert outcome.results["./broken"]["error"] == outcome.errors[0]
    assert outcome.results["./on-broken"]["error"] == "not run: ./broken did not succeed"
    order = [event["event"] for event in outcome.events]
    assert order.index("invalid") < order.index("finished") < order.index("started")
    assert worker.run(folder, ["./broken"]).code == 2, "asked for by its id it stops the run before anything is done"
