"""`dppctl init --local`, from the folder to the last line: read it top to bottom."""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.git.command import Git
from bot.model.app_config import AppConfig, parse_app_config
from bot.model.file_names import REGISTRATION_FILE, SPEC_FILE
from bot.model.names import RepoPath
from bot.model.spec_files import is_spec
from bot.settings import load_settings
from cli.errors import InputError
from cli.init.config_file import WantedConfig, edited_file, new_file
from cli.init.flow import last_lines
from cli.init.local.repositories import Clone, LocalRepositories, choose_repositories, read_clone
from cli.init.local.steps import BareStep, CloneStep, HookStep, RemoteStep
from cli.init.registration import with_app, without_app
from cli.init.secret_stores import EnvFile
from cli.init.steps.files import FileStep, read_text
from cli.init.steps.settings import SettingsStep
from cli.init.steps.step import Change, Step, run
from cli.init.steps.webhook_secret import VARIABLE, WebhookSecretStep, kept_secrets
from cli.prerequisites.machine import git_author
from cli.prerequisites.servers import check_local

_URL, _PORT = "DPPCTL_GITHUB_URL", "DPPCTL_PORT"
SECRET_FILE = "webhook-secret"  # noqa: S105 (a file's name)


@dataclass(frozen=True)
class LocalAnswers:
    """What flags say; None: nothing."""

    repo: str | None
    ops_repo: str | None
    branch: str | None
    git: Path | None
    staging: str
    production: str
    remove: bool
    dry_run: bool


def init_local(folder: Path, config: Path, answers: LocalAnswers, say: Callable[[str], None]) -> int:
    """Set up an app of this machine, whose pushes `dppctl up` deploys; return how many changes there were.

    config: the servers' folder. Nothing but git is needed. Raises InputError and DppctlError.
    """
    check_local(folder, config, removes=answers.remove)
    settings = load_settings(config, receives=False)
    git = Git(settings, searches=True)
    env = EnvFile(config / ".env")
    clone = read_clone(git, folder)
    repositories = choose_repositories(
        folder, clone, env.read(_URL), config, repo=answers.repo, ops=answers.ops_repo, git=answers.git
    )
    if answers.remove:
        return _remove(repositories, config, say, dry_run=answers.dry_run)
    app_file, app_config = _app_config(folder, repositories, answers)
    steps = [
        *_repositories(git, folder, clone, repositories),
        *_servers(git, repositories, config, app_config, env),
        app_file,
    ]
    changes = run(steps, say, dry_run=answers.dry_run)
    for line in _next(folder, repositories, config, answers.branch or repositories.branch):
        say(line)
    for line in last_lines(repositories.app, app_config):
        say(line)
    return changes


def _app_config(folder: Path, repositories: LocalRepositories, answers: LocalAnswers) -> tuple[FileStep, AppConfig]:
    """Return the step that writes `.dppctl.yaml`, and what it says then."""
    file = folder / ".dppctl.yaml"
    before = read_text(file)
    wish = WantedConfig(
        provider=None,
        settings={},
        app=repositories.app,
        ops=repositories.ops,
        branch=answers.branch or repositories.branch,
        staging=answers.staging,
        production=answers.production,
    )
    if before is None:
        specs = sorted(str(path.relative_to(folder)) for path in folder.rglob(f"*{SPEC_FILE}") if is_spec(path.name))
        after = new_file(wish, specs, (folder / "Dockerfile").is_file())
    else:
        after = edited_file(before, str(file), wish)
    config = parse_app_config(after, str(file))
    others = {ops for ops, _ in config.actions(repositories.app)} - {repositories.ops}
    if others:
        raise InputError(f"{file} deploys to {min(others)}; name that with --ops-repo, or change the file")
    return FileStep(file, after, "which push deploys what"), config


def _repositories(git: Git, folder: Path, clone: Clone, repositories: LocalRepositories) -> list[Step]:
    bare = repositories.bare(repositories.app.repository)
    return [
        CloneStep(git, folder, clone.top is not None, repositories.branch),
        BareStep(git, bare, "the app's repository", repositories.branch),
        BareStep(git, repositories.bare(repositories.ops.repository), "the ops repository", "master", begun=True),
        RemoteStep(git, folder, repositories.remote, clone.remotes.get(repositories.remote), bare),
    ]


def _servers(
    git: Git, repositories: LocalRepositories, config: Path, app_config: AppConfig, env: EnvFile
) -> list[Step]:
    registration = config / REGISTRATION_FILE
    environments = [action.environment for _, action in app_config.actions(repositories.app) if action.environment]
    text = with_app(read_text(registration), str(registration), repositories.app, repositories.ops, environments)
    values = {_URL: repositories.folder.as_uri()}
    if env.read(_PORT) is None:
        values[_PORT] = str(_free_port(8080))
    return [
        FileStep(registration, text, "the registration"),
        SettingsStep(env, values, "where repositories are, and the port"),
        WebhookSecretStep(env, has_webhook=lambda: False),
        SecretFileStep(env, config / SECRET_FILE),
        HookStep(
            git,
            repositories.bare(repositories.app.repository),
            repositories.app.repository,
            lambda: f"http://127.0.0.1:{env.read(_PORT) or values.get(_PORT)}/webhooks/github",
            (config / SECRET_FILE).resolve(),
        ),
    ]


@dataclass(frozen=True)
class SecretFileStep:
    """The hook's file has the secret that the receiver knows; only its owner can read it."""

    env: EnvFile
    file: Path

    def observe(self) -> Change | str:
        """Compare them; what the secret is is shown to nobody."""
        if (kept := kept_secrets(self.env)) and (read_text(self.file) or "").strip() == kept[-1]:
            return f"the hook's secret is in {self.file}"
        return Change(f"put the webhook's secret into {self.file}", self._write)

    def _write(self) -> None:
        kept = kept_secrets(self.env)
        secret = kept[-1] if kept else secrets.token_urlsafe(32)
        if not kept:
            self.env.write({VARIABLE: secret})
        try:
            self.file.unlink(missing_ok=True)
            self.file.touch(mode=0o600)
            self.file.write_text(secret)
        except OSError as error:
            raise InputError(f"{self.file} cannot be written: {error.strerror}") from None


def _remove(repositories: LocalRepositories, config: Path, say: Callable[[str], None], *, dry_run: bool) -> int:
    """Undo the registration and the hook. Repositories and data stay, as they are somebody's work."""
    registration = config / REGISTRATION_FILE
    text = read_text(registration)
    steps: list[Step] = []
    if text:
        left = without_app(text, str(registration), repositories.app)
        steps.append(FileStep(registration, left, f"the registration without {repositories.app}"))
    hook = repositories.bare(repositories.app.repository) / "hooks" / "post-receive"
    if hook.exists() and not (text and _others(text, repositories.app)):
        steps.append(_GoneStep(hook))
    changes = run(steps, say, dry_run=dry_run)
    say(f"the repositories in {repositories.folder}, .dppctl.yaml and what is deployed stay as they are")
    return changes


def _others(text: str, app: RepoPath) -> bool:
    from bot.model.registration import parse_registration

    return any(
        target.app.repository == app.repository and target.app != app
        for target in parse_registration(text, REGISTRATION_FILE)
    )


@dataclass(frozen=True)
class _GoneStep:
    file: Path

    def observe(self) -> Change | str:
        """Remove the hook."""
        return Change(f"remove {self.file}", self.file.unlink)


def _next(folder: Path, repositories: LocalRepositories, config: Path, branch: str) -> list[str]:
    """Return what is left to do, in the order to type it."""
    from cli.home_folder import home_folder

    option = "" if config == home_folder() else f" --config {config}"
    lines = [f"next: dppctl up{option}"]
    if not any(folder.rglob(SPEC_FILE)):
        lines.append(f"then: write {folder / SPEC_FILE}, which says what your pipelines do")
    if author := git_author(folder):
        lines.append(f"then: {author.get} ({author.what})")
    return [*lines, f"then: git add --all; git commit; git push {repositories.remote} {branch}"]


def _free_port(wanted: int) -> int:
    """Return this port of the machine, or another, that is free, as is the one after it: `dppctl up` takes both."""
    for port in (wanted, *[0] * 10):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                found: int = first.getsockname()[1]
                second.bind(("127.0.0.1", found + 1))
            except (OSError, OverflowError):
                continue
            return found
    raise InputError("no two ports of 127.0.0.1 that follow each other are free; set DPPCTL_PORT")
