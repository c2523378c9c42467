"""One name, one thing: no two classes of the product have the same name."""

import ast
from collections import defaultdict

from tests.support.environment import REPOSITORY

ROOMS = ("bot", "cli", "cluster", "webhooks", "worker")


def test_no_two_classes_of_the_product_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(REPOSITORY)))
    assert places
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
