"""What a worker says that it wrote is believed as far as a worker can have written it."""

from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.limits import MAX_WRITTEN_ITEMS
from cluster.storage.written import WrittenItem, WrittenItems


@pytest.mark.parametrize(
    ("kind", "source", "path"),
    [
        ("data package", "data", ""),
        ("data package", "data/ועדות/2024", "ועדות/2024/"),
        ("data package", "budget/data/committees", "budget/committees/"),
        ("data package", "data/budget/data/committees", "data/budget/committees/"),
        ("site", "data/index.html", ""),
        ("site", "budget/data/index.html", "budget/"),
    ],
)
def test_what_lies_in_data_of_a_specs_folder_is_taken(kind: str, source: str, path: str) -> None:
    item = {"kind": kind, "source": source, "path": path}
    assert WrittenItems.read({"event": "written", "items": [item]}).items == (WrittenItem(**item),)


@pytest.mark.parametrize(
    ("kind", "source", "path"),
    [
        ("data package", "../data", ""),
        ("data package", "/data/x", "x/"),
        ("data package", "data/../../x", "x/"),
        ("data package", "data//x", "x/"),
        ("data package", "data/.git", ".git/"),
        ("data package", "committees", "committees/"),
        ("data package", "data/committees", ""),
        ("data package", "data/committees", "../other-run/committees/"),
        ("site", "data/page.html", ""),
        ("image", "data/x", "x/"),
        ("data package", "data/" + "x" * 1000, "x" * 1000 + "/"),
        (None, None, None),
    ],
)
def test_a_forged_event_is_one_line_that_says_what_is_wrong(kind: Any, source: Any, path: Any) -> None:
    with pytest.raises(ClusterError, match=r"^nothing is published: the worker says that it wrote .*, but [^\n]*$"):
        WrittenItems.read({"items": [{"kind": kind, "source": source, "path": path}]})


@pytest.mark.parametrize("items", ["data", {"kind": "site"}, [None] * (MAX_WRITTEN_ITEMS + 1), ["data"]])
def test_other_shapes_are_refused_too(items: Any) -> None:
    with pytest.raises(ClusterError, match="nothing is published"):
        WrittenItems.read({"items": items})


def test_of_a_scheduled_run_what_the_others_wrote_stays_published_as_long_as_it_is_there(tmp_path: Path) -> None:
    first, second, gone = (WrittenItem("data package", f"data/{name}", f"{name}/") for name in ("a", "b", "gone"))
    (tmp_path / "data/a").mkdir(parents=True)
    joined = WrittenItems((first, gone), left_out=("data/x",)).joined(WrittenItems((second, first)), tmp_path)
    assert joined == WrittenItems((first, second))
