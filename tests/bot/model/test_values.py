"""Values files: what is written is read back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import DppctlError
from bot.limits import MAX_PIPELINE_ID, MAX_VALUES_BYTES
from bot.model.values import Pipeline, Source, Values

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
