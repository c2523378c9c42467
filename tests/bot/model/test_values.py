"""Values files: what is written is read back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.limits import MAX_PIPELINE_ID, MAX_VALUES_BYTES
from bot.model.expectations import Expectation
from bot.model.safe_yaml import read_yaml
from bot.model.values import Compared, ComparedField, ComparedResource, Pipeline, Source, Values

SOURCE = Source(repository="ann/app", path="", ref="refs/heads/master", commit="a" * 40)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_PIPELINE_ID)
pipelines = st.lists(st.builds(Pipeline, id=texts, schedule=st.none() | texts), max_size=5).map(tuple)


@settings(deadline=None)
@given(pipelines, st.none() | texts, st.none() | st.integers(1, 2**31))
def test_whatever_is_written_is_read_back(
    pipelines: tuple[Pipeline, ...], image: str | None, request: int | None
) -> None:
    values = Values(image=image, source=SOURCE, pipelines=pipelines, request=request)
    assert Values.from_yaml(values.to_yaml(), "values.yaml") == values


def test_a_file_that_is_too_large_is_told_with_its_size() -> None:
    with pytest.raises(DppctlError, match=r"^values\.yaml: larger than 1024 KB$"):
        Values.from_yaml("#" * (MAX_VALUES_BYTES + 1), "values.yaml")


_NUMBERS = st.integers(0, 10**15)
_RESOURCES = st.builds(
    ComparedResource,
    pipeline=texts,
    name=texts,
    rows=st.none() | _NUMBERS,
    fields=st.lists(st.builds(ComparedField, name=texts, type=texts), max_size=3).map(tuple),
)
_COMPARED = st.builds(
    Compared,
    environment=st.just("staging"),
    deployment=st.none() | _NUMBERS,
    resources=st.lists(_RESOURCES, max_size=3).map(tuple),
)
_EXPECTED = st.fixed_dictionaries(
    {"minRows": _NUMBERS, "maxDropPercent": st.integers(0, 100) | st.floats(0, 100)},
    optional={"resource": texts, "columns": st.just("keep"), "notNull": st.just(["a"]), "line": st.integers(1, 9)},
).map(Expectation.model_validate)


@settings(deadline=None)
@given(st.lists(_EXPECTED, max_size=3), st.booleans(), st.lists(_COMPARED, max_size=2))
def test_what_is_expected_and_compared_with_is_read_back(
    expect: list[Expectation], accept: bool, compared: list[Compared]
) -> None:
    values = Values(
        image=None, source=SOURCE, pipelines=(), expect=tuple(expect), accept=accept, compared=tuple(compared)
    )
    text = values.to_yaml()
    assert Values.from_yaml(text, "values.yaml") == values
    read_yaml(text, "values.yaml", nodes=values.nodes)
    with pytest.raises(DppctlError, match="values are read at most"):
        read_yaml(text, "values.yaml", nodes=values.nodes - 1)


def test_values_without_any_of_it_have_the_bytes_that_they_had_before() -> None:
    text = Values(image=None, source=SOURCE, pipelines=()).to_yaml()
    assert not {"expect", "accept", "compared", "request"} & {line.partition(":")[0] for line in text.splitlines()}
