"""Where the expectations of `.dppctl.yaml` stand, so that messages can say so, and what only the whole file shows."""

from collections.abc import Collection, Sequence

from bot.model.documents import Document
from bot.model.expectations import Expectation


def placed(
    expect: Sequence[Expectation], document: Document, path: Sequence[int | str], environments: Collection[str]
) -> tuple[Expectation, ...]:
    """Return expectations with their lines; `path` leads to their list, `environments`: those that actions deploy to.

    Raises DppctlError for one that stands there twice, or names an environment that no action has.
    """
    found: dict[Expectation, Expectation] = {}
    for index, expectation in enumerate(expect):
        place = [*path, index]
        if expectation.line is not None:
            known = Expectation.model_json_schema()["properties"]
            raise document.unknown([*place, "line"], known)
        if expectation in found:
            raise document.error(place, f"the same expectation stands in line {found[expectation].line} already")
        if (other := expectation.compared_with) and other not in environments:
            known = ", ".join(sorted(environments)) or "none"
            raise document.error(
                [*place, "comparedWith"], f"no action deploys to {other}; environments of this file: {known}"
            )
        found[expectation] = expectation.model_copy(update={"line": document.line(place)})
    return tuple(found.values())
