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


@pytest.mark.parametrize("asked", [[], ["all"]])
def test_nothing_and_all_mean_every_pipeline_so_a_broken_one_stops_the_run(asked: list[str]) -> None:
    with pytest.raises(WorkloadError, match=r"pipeline-spec.yaml:1: no steps"):
        choose(WORKLOAD, asked)


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
