import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.model.file_names import IGNORE_FILE
from bot.model.pipeline_specs import parse_specs
from bot.model.spec_files import is_spec
from bot.model.values import Pipeline, Source, Values
from cluster.local.workers.dpp_environment import DppEnvironment

STEPS = "{pipeline: [{run: load_resource}]}"
FILES = {
    "pipeline-spec.yaml": f"a: {STEPS}\nb: {{pipeline: [], schedule: {{crontab: '0 6 * * *'}}}}\n",
    "below/it/pipeline-spec.yaml": f"c: {STEPS}",
    ".hidden/pipeline-spec.yaml": f"no: {STEPS}",
    "left/out/pipeline-spec.yaml": f"no: {STEPS}",
    "vendor/x/pipeline-spec.yaml": f"no: {STEPS}",
    ".dpp_spec_ignore": "left/out\nvendor\n",
}


def parsed(files: Mapping[str, str]) -> list[tuple[str, str | None]]:
    specs = parse_specs({name: text.encode() for name, text in files.items()})
    return [(pipeline.id, pipeline.schedule) for pipeline in specs.pipelines]


def test_what_a_merge_brings_may_be_replaced_and_a_pipeline_that_stands_twice_is_refused() -> None:
    merged = f"a: &a {STEPS}\nb:\n  <<: *a\n  pipeline: []\n<<: {{a: {{}}, c: {STEPS}}}\n"
    assert parsed({"pipeline-spec.yaml": merged}) == [("./a", None), ("./c", None), ("./b", None)]
    with pytest.raises(DppctlError, match=r"^below/pipeline-spec.yaml:3: 'a' is there twice$"):
        parsed({"below/pipeline-spec.yaml": f"a: {STEPS}\nb: {STEPS}\na: {STEPS}\n"})
    assert parsed({"pipeline-spec.yaml": f"a: {STEPS[:-1]}, title: x, title: y}}"}) == [("./a", None)]  # as dpp


@pytest.mark.parametrize("path", ["pipeline-spec.yaml", "x/pipeline-spec.yaml", "a.source-spec.yaml", IGNORE_FILE])
def test_a_spec_that_is_a_link_is_named(path: str) -> None:
    files = {"a/pipeline-spec.yaml": f"a: {STEPS}".encode(), ".hidden/pipeline-spec.yaml": None}
    assert len(parse_specs(files).pipelines) == 1
    with pytest.raises(DppctlError, match=f"^{path} is a symbolic link, which is not followed; put the file itself"):
        parse_specs({**files, path: None})


def test_pipelines_have_the_ids_and_schedules_of_their_specs() -> None:
    assert parsed(FILES) == [("./below/it/c", None), ("./a", None), ("./b", "0 6 * * *")]


def test_dpp_itself_finds_the_same_pipelines(
    runtime: DppEnvironment, workload: Callable[[Mapping[str, str]], Path]
) -> None:
    folder = workload(FILES)
    environment = {"PATH": f"{runtime.bin}{os.pathsep}{os.environ['PATH']}", "DPP_DB_DIRNAME": str(folder / "state")}
    listed = subprocess.run(["dpp"], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"\./[\w/]+", listed)) == {name for name, _ in parsed(FILES)}


def test_generated_pipelines_are_known_to_be_unknown() -> None:
    assert is_spec("x/knesset.source-spec.yaml")
    assert parse_specs({"knesset.source-spec.yaml": b"x: 1"}).generated_by == "knesset.source-spec.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "pipeline-spec.yaml:2: not valid YAML"),
        ("- a", "pipeline-spec.yaml:1: expected pipelines by name"),
        ("a: {pipeline: []}\nb: 1", "pipeline-spec.yaml:2: b: expected a name"),
        ("a: {pipeline: []}\n2018: {pipeline: []}", "pipeline-spec.yaml:2: 2018: an id must be text"),
        ("on: {pipeline: []}", "pipeline-spec.yaml:1: on: an id must be text"),
        ("a: &a {pipeline: []}\nb:\n  <<: *a\n2018-01-01: *a", "pipeline-spec.yaml:4: 2018-01-01: an id must be text"),
        ("a: {schedule: {crontab: daily}}", "pipeline-spec.yaml:1: a: schedule: expected `crontab:` with five"),
        (
            "b: {}\na:\n  schedule:\n    crontab: 0 6 L * *\n",
            "pipeline-spec.yaml:4: a: schedule: crontab: day of month: 'L': Kubernetes knows",
        ),
        (
            "a: {schedule: {crontab: '61 * * * *'}}",
            "pipeline-spec.yaml:1: a: schedule: crontab: Bad minute: 61 * * * *",
        ),
        (
            f"a: {{schedule: {{crontab: '{'0,' * 500_000}0 * * * *'}}}}",
            "pipeline-spec.yaml:1: a: schedule: crontab: has more than 1000 characters: 0,0,0",
        ),
        ("a: !!python/object/apply:os.system [id]", "pipeline-spec.yaml:1: not valid YAML: could not determine"),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(DppctlError) as refused:
        parsed({"pipeline-spec.yaml": text})
    assert str(refused.value).startswith(said)
    assert len(str(refused.value)) < 300


def test_a_spec_that_is_in_many_folders_is_read_once() -> None:
    content = f"a: {{pipeline: [{'a, ' * 20_000}]}}".encode()
    started = time.process_time()
    specs = parse_specs({f"folder{number}/pipeline-spec.yaml": content for number in range(400)})
    assert len(specs.pipelines) == 400
    assert time.process_time() - started < 5


def test_more_specs_or_patterns_than_are_read_are_refused_with_their_number() -> None:
    specs = {f"folder{number}/pipeline-spec.yaml": b"{}" for number in range(1_001)}
    with pytest.raises(DppctlError, match=r"^there are 1,001 specs, and 1,000 are read at most; make several"):
        parse_specs(specs)
    assert parse_specs({**specs, IGNORE_FILE: b"folder*"}).pipelines == ()
    patterns = " ".join(f"*{number}*x" for number in range(1_001)).encode()
    with pytest.raises(DppctlError, match=r"^\.dpp_spec_ignore: 1,001 patterns, and 1,000 are read at most$"):
        parse_specs({IGNORE_FILE: patterns})


def test_a_thousand_patterns_and_a_thousand_specs_are_compared_soon() -> None:
    patterns = " ".join(f"*{number}*x" for number in range(1_000)).encode()
    specs = {f"a/b/c/folder{number}/pipeline-spec.yaml": b"{}" for number in range(1_000)}
    started = time.process_time()
    assert parse_specs({**specs, IGNORE_FILE: patterns}).pipelines == ()
    assert time.process_time() - started < 10


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(DppctlError):
        parse_specs({"pipeline-spec.yaml": content})


ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=30)


@given(st.lists(st.builds(Pipeline, id=ids, schedule=st.none() | ids), max_size=4))
def test_values_survive_their_file(pipelines: list[Pipeline]) -> None:
    source = Source(repository="a/b", path="", ref="refs/heads/x", commit="0" * 40)
    values = Values(image=None, source=source, pipelines=tuple(pipelines))
    assert Values.from_yaml(values.to_yaml(), "file") == values
    assert "image: null" in values.to_yaml()
