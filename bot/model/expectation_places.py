"""Where the expectations of `.dppctl.yaml` stand, so that messages can say so, and what only the whole file shows."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from bot.model.documents import Document
from bot.model.expectations import Expectation

if TYPE_CHECKING:
    from bot.model.app_config import AppConfig


def with_places(config: "AppConfig", document: Document) -> "AppConfig":
    """Return the config, its expectations with their lines. Raises DppctlError for those that can never be checked."""
    actions = [action for entry in config.continuous_deployment for action in entry.actions]
    environments = {action.environment for action in actions if action.environment}
    entries = []
    for number, entry in enumerate(config.continuous_deployment):
        actions = []
        for index, action in enumerate(entry.actions):
            if action.expect:
                path: list[int | str] = ["continuousDeployment", number, "actions", index, "expect"]
                action = action.model_copy(update={"expect": _placed(action.expect, document, path, environments)})
            actions.append(action)
        entries.append(entry.model_copy(update={"actions": actions}))
    update: dict[str, object] = {"continuous_deployment": entries} if entries else {}
    if config.expect:
        update["expect"] = _placed(config.expect, document, ["expect"], environments)
    return config.model_copy(update=update)


def _placed(
    expect: Sequence[Expectation], document: Document, path: Sequence[int | str], environments: Collection[str]
) -> tuple[Expectation, ...]:
    """Return expectations with their lines; `path` leads to their list; actions deploy to `environments`."""
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
