"""The pool of an app's environment: workers with its own image, which sync deploys with `workers.enabled`."""

from pathlib import Path

from bot.model.app_config import parse_app_config
from bot.model.documents import read_text
from bot.model.file_names import CONFIG_FILE
from bot.model.names import RepoPath
from bot.near_names import name_hint
from cli.errors import InputError
from cluster.operator.pool_names import pool_of_environment


def environment_pool(folder: Path, environment: str) -> str:
    """Return the name of the pool of an environment of the app in this folder.

    Raises InputError when the app's config does not say which app it is, or has no such environment.
    """
    file = folder / CONFIG_FILE
    try:
        config = parse_app_config(read_text(file), str(file))
    except FileNotFoundError:
        raise InputError(f"--environment {environment}: {folder} has no {CONFIG_FILE} that says of which app") from None
    apps = {
        entry.app_repo_path: {action.environment for action in entry.actions if action.environment}
        for entry in config.continuous_deployment
    }
    found = [app for app, environments in apps.items() if environment in environments]
    if not found:
        meant = name_hint(environment, (name for environments in apps.values() for name in environments))
        raise InputError(f"--environment {environment}: {file} deploys to no such environment; {meant}")
    if len(found) > 1:
        which = " and ".join(found)
        raise InputError(f"--environment {environment}: {file} has it for {which}; name the pool itself: --pool")
    return pool_of_environment(RepoPath.parse(found[0]), environment)
