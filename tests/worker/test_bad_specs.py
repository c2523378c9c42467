"""What is wrong with a workload is told in one line with its place, before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.small_disk import small_disk
from tests.support.worker import Worker

Files = Callable[[Mapping[str, str]], Path]

GOOD = "good: {pipeline: [{run: update_package, parameters: {name: good}}]}\n"
NO_TEXT = "must be text, and YAML reads it as something else: put it in quotes"
NO_MAPPING = "`tables:` must be a mapping of table names to `resource-name:`"


# Of the file: then nothing runs. Each in a folder of one workload, as all are told together.
FILES = (
    (
        "a: {pipeline: [{run: update_package}]}\n\na: {pipeline: [{run: update_package}]}\n",
        "pipeline-spec.yaml:3: pipeline id a is there twice (first in line 1)",
    ),
    ("a: [\n", "pipeline-spec.yaml:2: not YAML: did not find expected node content"),
    ("a:\n\tb: 1\n", "pipeline-spec.yaml:2: not YAML: found character that cannot start any token"),
    ("- a\n", "pipeline-spec.yaml:1: must be a mapping of pipeline ids to pipelines"),
    ("# nothing\n", "pipeline-spec.yaml:1: is empty: it should hold pipelines"),
    *(
        (
            f"{key}:\n  pipeline: [{{run: update_package}}]\n",
            f"pipeline-spec.yaml:1: pipeline id {key} {NO_TEXT}, '{key}':",
        )
        for key in ("2018", "1.5", "yes", "2018-01-01", "null")
    ),
    ("? [a]\n: {}\n", "pipeline-spec.yaml:1: a pipeline id must be text, and not empty"),
    (
        "a: {}\n<<: 7\n",
        "pipeline-spec.yaml:2: not YAML: expected a mapping or list of mappings for merging, but found scalar",
    ),
)
# Of a pipeline: then the others run.
PIPELINES = (
    ("a:\n  pipline:\n  - run: x\n", "pipeline-spec.yaml:2: unknown key `pipline:`; did you mean `pipeline:`?"),
    ("a:\n  title: x\n", "pipeline-spec.yaml:1: a has no `pipeline:`, the list of steps"),
    (
        "a:\n  pipeline:\n  - parameters: {}\n",
        "pipeline-spec.yaml:3: a step has neither `run:` nor `flow:`",
    ),
    (
        "a:\n  pipeline:\n  - rnu: update_package\n",
        "pipeline-spec.yaml:3: a step has neither `run:` nor `flow:`; did you mean `run:` by `rnu:`?",
    ),
    (
        "a:\n  pipeline:\n  - run: x\n    flow: y\n",
        "pipeline-spec.yaml:3: a step has both `run:` and `flow:`; it must have one of them",
    ),
    (
        "a:\n  pipeline: load\n",
        "pipeline-spec.yaml:2: `pipeline:` must be a list of steps, each with `run:` or `flow:`",
    ),
    (
        "a:\n  pipeline:\n  - run: dump.to_sql\n    parameters:\n      tables:\n        one two\n",
        f"pipeline-spec.yaml:6: {NO_MAPPING}; is a ':' missing after a name?",
    ),
    (
        "a:\n  pipeline:\n  - run: dump.to_sql\n    parameters:\n      tables:\n        one: two\n",
        "pipeline-spec.yaml:6: table one needs `resource-name:`",
    ),
)


def workload_of(folder: Path, cases: Sequence[tuple[str, str]]) -> list[str]:
    """Write each spec into a folder of its own; return what is to be told, sorted."""
    for number, (spec, _) in enumerate(cases):
        (folder / f"s{number:02}").mkdir(parents=True)
        (folder / f"s{number:02}" / "pipeline-spec.yaml").write_text(spec)
    return sorted(f"s{number:02}/{told}" for number, (_, told) in enumerate(cases))


def test_mistakes_in_files_are_told_with_their_lines_and_nothing_runs(worker: Worker, tmp_path: Path) -> None:
    told = workload_of(tmp_path / "w", [*FILES, (GOOD, "")])
    outcome = worker.run(tmp_path / "w")
    assert sorted(outcome.errors) == [line for line in told if not line.endswith("/")]
    assert outcome.code == 2
    assert [event["event"] for event in outcome.events] == ["invalid"]


def test_mistakes_in_pipelines_are_told_with_their_lines_and_a_good_one_beside_them_runs(
    worker: Worker, tmp_path: Path
) -> None:
    told = workload_of(tmp_path / "w", [*PIPELINES, (GOOD, "")])
    outcome = worker.run(tmp_path / "w")
    assert sorted(outcome.errors) == [line for line in told if not line.endswith("/")]
    statuses = {name.rpartition("/")[2]: result["status"] for name, result in outcome.results.items()}
    assert statuses == {"a": "failed", "good": "succeeded"}
    assert len(outcome.results) == len(PIPELINES) + 1


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("a:\n  pipline:\n  - run: x\n", "pipeline-spec.yaml:2: unknown key `pipline:`; did you mean `pipeline:`?"),
        (
            "a:\n  dependencies: [{pipeline: ./god}]\n  pipeline: [{run: update_package}]\n" + GOOD,
            "pipeline-spec.yaml:1: depends on ./god, which does not exist; did you mean ./good?",
        ),
        (
            "a:\n  pipeline:\n  - flow: nowhere\n",
            "pipeline-spec.yaml:3: ModuleNotFoundError: No module named 'nowhere' (is it in requirements.txt?)",
        ),
    ],
)
def test_a_mistake_in_a_spec_is_told_with_its_line(worker: Worker, workload: Files, spec: str, told: str) -> None:
    folder = workload({})
    folder.mkdir(exist_ok=True)
    (folder / "pipeline-spec.yaml").write_text(spec)
    outcome = worker.run(folder)
    assert outcome.errors == [told]
    if GOOD in spec:
        assert outcome.results["./good"]["status"] == "succeeded", "a good one beside it runs"
    else:
        assert outcome.code == 2
        assert [event["event"] for event in outcome.events] == ["invalid"]


def test_a_missing_processor_is_told_with_its_line(worker: Worker, workload: Files) -> None:
    folder = workload({"sub/pipeline-spec.yaml": "a:\n  pipeline:\n  - run: update_package\n  - run: no_such\n"})
    assert worker.run(folder).errors == [
        f"sub/pipeline-spec.yaml:4: Unresolved processor: Couldn't resolve no_such at {folder}/sub"
    ]


def test_a_broken_pipeline_that_was_not_asked_for_harms_nobody(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": GOOD + "bad: {pipeline: [{run: no_such}]}\n"})
    assert worker.run(folder, ["./good"]).code == 0


def test_a_flow_that_fails_at_its_import_is_told_with_the_line_in_its_file(worker: Worker, workload: Files) -> None:
    folder = workload(
        {"pipeline-spec.yaml": "a: {pipeline: [{flow: mine}]}\n", "mine.py": "import os\n\nprint(undefined)\n"}
    )
    assert worker.run(folder).errors == ["mine.py:3: NameError: name 'undefined' is not defined"]


def test_anchors_and_merged_keys_are_no_mistake(worker: Worker, workload: Files) -> None:
    spec = """
        first: &first
          pipeline: [&step {run: update_package, parameters: {name: one}}]
        second:
          <<: *first
          title: The same
        third:
          pipeline: [{<<: *step, parameters: {name: three}}]
    """
    assert worker.run(workload({"pipeline-spec.yaml": spec})).code == 0


def test_what_dpp_is_told_to_ignore_is_ignored(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": GOOD, "old/pipeline-spec.yaml": "[", ".dpp_spec_ignore": "old\n"})
    assert list(worker.run(folder).results) == ["./good"]


def test_a_machine_without_dpp_is_told_so(worker: Worker, workload: Files) -> None:
    process = worker.start("run", cwd=workload({"pipeline-spec.yaml": GOOD}), PATH="/nowhere")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stderr.startswith("dpp: not on PATH: install datapackage-pipelines")


def test_a_full_disk_is_one_line_where_the_run_needs_room_and_a_failed_pipeline_where_it_writes(
    worker: Worker, workload: Files, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", 64) as disk:
        (disk / "filler").write_bytes(b"x" * 4096 * 15)
        process = worker.start("run", cwd=workload({"pipeline-spec.yaml": GOOD}), TMPDIR=str(disk))
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "No space left on device" in stderr
        assert len(stderr.splitlines()) == 1
        spec = f"""
            big:
              pipeline:
              - run: big
                code: |
                    from datapackage_pipelines.wrapper import ingest
                    ingest()
                    open("{disk}/big", "w").write("x" * 1000000)
        """
        outcome = worker.run(workload({"pipeline-spec.yaml": spec}))
        assert outcome.code == 1
        assert "No space left on device" in outcome.results["./big"]["error"]


def test_pipelines_of_an_anchor_can_be_replaced(worker: Worker, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": GOOD})
    (folder / "pipeline-spec.yaml").write_text(
        "first: &all {pipeline: [{run: update_package, parameters: {name: first}}]}\n"
        "<<: {first: *all, second: *all}\n"
        "third: *all\n"
    )
    assert sorted(worker.run(folder).results) == ["./first", "./second", "./third"]


@pytest.mark.parametrize(
    "name", ["pipeline-spec.yml", "Pipeline-Spec.yaml", "pipelines-spec.yaml", "pipeline_spec.yaml"]
)
def test_a_spec_whose_name_is_nearly_right_is_named(worker: Worker, workload: Files, name: str) -> None:
    outcome = worker.run(workload({f"sub/{name}": GOOD}))
    [told] = outcome.errors
    assert told.endswith(f"no pipeline-spec.yaml in it; sub/{name} is not read: dpp wants pipeline-spec.yaml")
