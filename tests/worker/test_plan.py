"""Which pipelines run, in which order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.plan import WorkloadError, choose


def pipeline(name: str, *dependencies: str, errors: tuple[str, ...] = ()) -> dict[str, Any]:
    found = [{"where": "pipeline-spec.yaml:1", "message": error} for error in errors]
    return {"id": name, "folder": ".", "dependencies": list(dependencies), "errors": found}


def ids(pipelines: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in pipelines]


WORKLOAD = [
    pipeline("./b", "./a"),
    pipeline("./a"),
    pipeline("./sub/c"),
    pipeline("./broken", errors=("no steps",)),
]


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (["./a"], ["./a"]),
        (["a"], ["./a"]),
        (["./b"], ["./a", "./b"]),
        (["./sub/%"], ["./sub/c"]),
        (["./a,./sub/c"], ["./a", "./sub/c"]),
        (["./b", "./a"], ["./a", "./b"]),
    ],
)
def test_what_was_asked_for_runs_after_what_it_depends_on(asked: list[str], chosen: list[str]) -> None:
    assert ids(choose(WORKLOAD, asked)) == chosen


@pytest.mark.parametrize("asked", [[], ["all"], ["./%"]])
def test_a_broken_pipeline_that_a_pattern_brings_along_keeps_no_other_from_running(asked: list[str]) -> None:
    chosen = choose([*WORKLOAD, pipeline("./on-broken", "./broken")], asked)
    assert ids(chosen) == ["./a", "./b", "./sub/c", "./broken", "./on-broken"]
    assert [each["id"] for each in chosen if each["errors"]] == ["./broken"]


@pytest.mark.parametrize("asked", [["./broken"], ["./a", "./broken"], ["all", "./broken"], ["./on-broken"]])
def test_a_broken_pipeline_that_is_asked_for_or_needed_stops_the_run(asked: list[str]) -> None:
    with pytest.raises(WorkloadError, match=r"pipeline-spec.yaml:1: no steps"):
        choose([*WORKLOAD, pipeline("./on-broken", "./broken")], asked)


def test_when_all_are_broken_nothing_runs() -> None:
    with pytest.raises(WorkloadError, match=r"pipeline-spec.yaml:1: no steps"):
        choose([pipeline("./broken", errors=("no steps",))], ["all"])


def test_a_circle_keeps_no_other_from_running() -> None:
    chosen = choose([pipeline("./a", "./b"), pipeline("./b", "./a"), pipeline("./c"), pipeline("./d", "./a")], ["all"])
    assert ids(chosen) == ["./a", "./b", "./c", "./d"], "what depends on one that has failed is not run"
    assert chosen[0]["errors"] == [{"where": "./a", "message": "depends on itself: ./a -> ./b -> ./a"}]


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (["./a,b"], ["./a,b"]),
        (["a,b"], ["./a,b"]),
        (["./100%"], ["./100%"]),
        (["./100%,./c"], ["./c", "./100%"]),
        (["./1%"], ["./100%", "./1000"]),
    ],
)
def test_an_id_with_a_comma_or_a_percent_sign_is_an_id_first(asked: list[str], chosen: list[str]) -> None:
    pipelines = [pipeline(name) for name in ("./a", "./b", "./a,b", "./c", "./100%", "./1000")]
    assert sorted(ids(choose(pipelines, asked))) == sorted(chosen)


def test_an_unknown_id_is_told_with_the_known_ones_and_a_guess() -> None:
    with pytest.raises(WorkloadError) as caught:
        choose(WORKLOAD, ["./sub/d"])
    assert str(caught.value) == ("./sub/d: no such pipeline; did you mean ./sub/c? known: ./a, ./b, ./broken, ./sub/c")


def test_a_circle_is_told() -> None:
    with pytest.raises(WorkloadError, match=r"./a: depends on itself: ./a -> ./b -> ./a"):
        choose([pipeline("./a", "./b"), pipeline("./b", "./a")], ["./a"])


def test_a_folder_without_pipelines_is_told() -> None:
    with pytest.raises(WorkloadError, match="no pipelines"):
        choose([], [])


def test_a_file_whose_name_is_nearly_a_specs_is_named_when_something_is_missing() -> None:
    unread = ["sub/pipeline-spec.yml", "numbers.source-spec.yml"]
    hint = (
        "; sub/pipeline-spec.yml is not read: dpp wants pipeline-spec.yaml"
        "; numbers.source-spec.yml is not read: dpp wants numbers.source-spec.yaml"
    )
    for pipelines in ([], WORKLOAD):
        with pytest.raises(WorkloadError) as caught:
            choose(pipelines, ["./d"], unread)
        assert str(caught.value).endswith(hint)


@given(st.data())
def test_every_pipeline_comes_once_and_after_its_dependencies(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    pipelines = [
        pipeline(str(number), *map(str, data.draw(st.sets(st.integers(0, number - 1))))) if number else pipeline("0")
        for number in range(count)
    ]
    order = ids(choose(data.draw(st.permutations(pipelines)), ["all"]))
    assert sorted(order) == sorted(ids(pipelines))
    assert all(order.index(one["id"]) > order.index(dep) for one in pipelines for dep in one["dependencies"])
