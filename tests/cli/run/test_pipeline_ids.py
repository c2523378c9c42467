"""Ids that are refused before a run starts: only those of which plain files tell all."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cli.run.pipeline_ids import check_ids
from tests.support.command import Dppctl
from worker.plan import WorkloadError

Files = Callable[[Mapping[str, str]], Path]
SPEC = "one: {pipeline: []}\n"


@pytest.mark.parametrize("asked", ["./one", "one", "sub/a,b", "./sub/%", "all"])
def test_what_a_pipeline_has_is_let_through(workload: Files, asked: str) -> None:
    check_ids(workload({"pipeline-spec.yaml": SPEC, "sub/pipeline-spec.yaml": "'a,b': {pipeline: []}\n"}), [asked])


@pytest.mark.parametrize("asked", ["./two", "one,two", "./sub/%", "./hidden/one", "./old/one"])
def test_what_no_pipeline_has_is_refused(workload: Files, asked: str) -> None:
    files = {"pipeline-spec.yaml": SPEC, ".hidden/pipeline-spec.yaml": SPEC, "old/pipeline-spec.yaml": SPEC}
    with pytest.raises(WorkloadError, match="no such pipeline"):
        check_ids(workload({**files, ".dpp_spec_ignore": "old\n"}), [asked])


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pipeline-spec.yaml": "one: ["},
        {"pipeline-spec.yml": SPEC},
        {"pipeline-spec.yaml": SPEC, "votes.source-spec.yaml": "a: 1\n"},
    ],
)
def test_what_only_the_worker_can_tell_is_left_to_it(workload: Files, files: dict[str, str]) -> None:
    check_ids(workload({"README.md": "", **files}), ["./nothing"])


def test_linked_folders_are_left_to_the_worker(workload: Files, tmp_path: Path) -> None:
    folder = workload({"pipeline-spec.yaml": SPEC})
    (folder / "linked").symlink_to(tmp_path)
    check_ids(folder, ["./nothing"])


@pytest.mark.parametrize("options", [[], ["--output", "json"]])
def test_such_a_run_ends_before_pods_start(dppctl: Dppctl, workload: Files, options: list[str]) -> None:
    done = dppctl("run", *options, "./two", cwd=workload({"pipeline-spec.yaml": SPEC}))
    assert done.returncode == 2
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == (["invalid"] if options else [])
    assert done.stderr == "dppctl: ./two: no such pipeline; did you mean ./one? known: ./one\n"
    assert not list((dppctl.data / "pods").glob("*"))
