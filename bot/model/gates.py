"""What `after:` of actions may say, of all that a `.dppctl.yaml` has: something has to come there."""

from typing import TYPE_CHECKING

from bot.model.documents import Document

if TYPE_CHECKING:
    from bot.model.app_config import AppConfig


def refuse_gates(config: "AppConfig", document: Document) -> None:
    """Raise for an `after:` that nothing ever comes to: no action is for that environment, or they wait in a circle."""
    for app in dict.fromkeys(entry.app_repo_path for entry in config.continuous_deployment):
        actions: dict[str, tuple[list[int | str], str | None]] = {
            action.environment or "": (["continuousDeployment", index, "actions", number, "after"], action.after)
            for index, entry in enumerate(config.continuous_deployment)
            if entry.app_repo_path == app
            for number, action in enumerate(entry.actions)
        }
        for environment, (path, after) in actions.items():
            if after is None:
                continue
            if after not in actions:
                known = ", ".join(sorted(actions.keys() - {environment})) or "no other"
                raise document.error(path, f"no action deploys {app} to {after}; those of it deploy to {known}")
            circle = [environment]
            while (following := actions[circle[-1]][1]) in actions and following not in circle:
                circle.append(following)
            if following == environment:
                shown = " after ".join([*circle, environment])
                raise document.error(path, f"{shown}: each waits for the other, so nothing is ever deployed there")
