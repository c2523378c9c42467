"""`dppctl build`: the image of an app, built and pushed as the bot would after a push."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.config_option import CONFIG_OPTION
from cli.documented import command
from cli.end_signals import on_end_signals
from cli.output_options import note

if TYPE_CHECKING:
    from bot.model.app_config import AppConfig
    from bot.model.names import RepoPath


@command(
    examples="""
    dppctl build                            # the app in this folder
    dppctl build pipelines --rebuild        # that in pipelines/, each step anew
    dppctl build --app ann/data --config ~/.config/dppctl
    """,
)
@click.argument("folder", metavar="[DIR]", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--app", help="OWNER/REPO[/PATH]; left out: the one that .dppctl.yaml names.")
@click.option("--rebuild", is_flag=True, help="Build each step anew, though the registry has the image.")
@CONFIG_OPTION
def build(folder: Path, app: str | None, rebuild: bool, config: Path) -> None:
    """Build the image of the app in DIR (default: here), as it is committed, and print its name with its digest.

    What the registry has already, of the base images and secrets that there are now, is not built again. The settings
    (DPPCTL_REGISTRY and so on) are those of --config or the environment. The log goes to stderr. Exit code: 0, 1 when
    the build fails, 2 for wrong use or input.
    """
    from bot.images.builders.interface import BuildError, BuildPutOffError
    from bot.images.registry.errors import RegistryError
    from bot.process import StoppedError

    stop = threading.Event()
    on_end_signals(stop.set)
    try:
        click.echo(_build(folder, app, config, stop, rebuild=rebuild))
    except StoppedError:
        raise SystemExit(130) from None
    except (BuildError, BuildPutOffError, RegistryError) as error:
        click.echo(f"dppctl: {error}", err=True)
        raise SystemExit(1) from None


def _build(folder: Path, name: str | None, config: Path, stop: threading.Event, *, rebuild: bool) -> str:
    from bot.git.command import Git
    from bot.images.decide import Ready
    from bot.images.service import make_image_service
    from bot.model.app_config import AppConfig, Build, parse_app_config
    from bot.model.file_names import CONFIG_FILE, REGISTRATION_FILE
    from bot.model.registration import read_registration
    from bot.model.values import Source
    from bot.settings import load_settings
    from cli.commands.head_commit import HeadCommit
    from cli.errors import InputError

    settings = load_settings(config, receives=False)
    head = HeadCommit(Git(settings, searches=True), folder)
    text = head.read(CONFIG_FILE)
    app_config = parse_app_config(text, str(folder / CONFIG_FILE)) if text is not None else AppConfig()
    app = _app(name, app_config)
    registration = config / REGISTRATION_FILE
    images = make_image_service(settings, read_registration(registration) if registration.is_file() else ())
    dockerfile = (app_config.build or Build()).dockerfile
    content = head.read(dockerfile)
    kind = images.policy.kind(app, app_config, content is not None)
    if kind is None:
        raise InputError(f"{app} runs without an image: {images.policy.why_not}")
    if rebuild and isinstance(kind, Ready):
        raise InputError(f"{app} has no image that is built here; leave out --rebuild")
    if head.is_dirty():
        note(f"dppctl: what is not committed below {folder} is left out")
    if isinstance(kind, Ready):
        return images.ready(app, kind.reference)
    tag = images.tag(app, head.tree, kind, content or "")
    if not rebuild and (image := images.tagged(app, tag)):
        return image
    source = Source(repository=app.repository, path=app.path, ref=head.ref, commit=head.commit)
    work = images.work(app, tag, source, kind, head.export, rebuild=rebuild)
    return work(note, stop)


def _app(name: str | None, config: "AppConfig") -> "RepoPath":
    from bot.model.names import RepoPath
    from cli.errors import InputError

    if name is not None:
        return RepoPath.parse(name)
    named = sorted({entry.app_repo_path for entry in config.continuous_deployment})
    if len(named) != 1:
        known = f".dppctl.yaml names {', '.join(named)}" if named else "no .dppctl.yaml names one"
        raise InputError(f"which app is it? {known}; say --app OWNER/REPO/PATH")
    return RepoPath.parse(named[0])
