"""What `dppctl init` needs before its first question: a clone of GitHub's, GitHub itself, tokens that it accepts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests
from github import GithubException

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError
from bot.github.errors import GitHubAwayError, explain
from bot.model.config_action import branch_problem
from bot.settings import Settings
from bot.settings.types import is_web
from cli.init.app import NO_ORIGIN, NO_REPOSITORY, find_app, find_branch, origin_url
from cli.init.context import Answers, github_client
from cli.init.identity.token import Access, how_to_get, problems
from cli.init.steps.machine_user import read_token
from cli.prerequisites.machine import git, git_author, python, writable
from cli.prerequisites.missing import Missing, attempt, require
from cli.prerequisites.servers import keyring, read_settings

_HOST = re.compile(r"\w+://(?:[^@/]*@)?(?P<host>[^:/]+)|(?:[^@/:]*@)?(?P<scp>[^/:]+):")
_ORIGIN = re.compile(r"""^\[remote "origin"\]""", re.MULTILINE)


def check_deployment(
    folder: Path,
    config: Path,
    answers: Answers,
    *,
    repo: str | None,
    branch: str | None,
    asks: bool,
    is_local: bool,
    removes: bool,
) -> None:
    """Raise InputError with all that is missing. Nothing is asked, and nothing is changed.

    `asks`: somebody answers questions. `is_local`: the servers run on a machine; a cluster may have to be made before,
    and its Secret may have a token. `removes`: to undo it, for which the steps say what they need of GitHub.
    """
    settings, refused = read_settings(config, receives=False)
    found = [python(), git(), writable(folder, "--folder"), writable(config, "--config"), keyring(config), refused]
    is_github = settings is not None and is_web(settings.github.url)
    if branch and (problem := branch_problem(branch)):
        found.append(Missing(f"branch {problem}", "name another with --branch NAME"))
    repository, missing = _find_repository(folder, settings, repo, branch)
    found += missing
    also = [git_author(folder)]
    if settings and not is_github:
        found.append(
            Missing(
                f"DPPCTL_GITHUB_URL is {settings.github.url}: there is nobody to sign up and no webhook to set",
                "`dppctl init` needs a GitHub; for repositories on this machine: dppctl init --local; with another git "
                "server write apps.yaml and .dppctl.yaml yourself (docs/local.md)",
            )
        )
    if settings and is_github and not removes:
        found += _github(settings, answers, repository)
        if answers.gh and not answers.owner_token:
            found.append(
                Missing(
                    f"--gh: gh is not on PATH, or not logged in to {urlsplit(settings.github.url).hostname}",
                    "install it (https://cli.github.com) and type gh auth login, or give --owner-token-file FILE",
                )
            )
        how = "is asked for" if asks else "nobody is asked with --yes"
        (also if asks else found).extend(_to_ask(answers, settings, is_local=is_local, how=how))
    require(found, also)


def _find_repository(
    folder: Path, settings: Settings | None, repo: str | None, branch: str | None
) -> tuple[str | None, list[Missing | None]]:
    """Return OWNER/REPO of the app, and what is missing of its clone; without git, as far as files tell it."""
    if git() or settings is None:
        return repo, [_clone_without_git(folder, repo)]
    program = Git(settings, searches=True)
    try:
        app = find_app(program, folder, repo, branch or "any")
    except DppctlError as error:
        is_clone = not isinstance(error, GitError) and str(error) != NO_REPOSITORY.format(folder=folder.absolute())
        no_branch = attempt(lambda: find_branch(program, folder)) if is_clone and not branch else None
        missing = [Missing(str(error)), no_branch]
        return repo, missing
    missing = [None if branch else attempt(lambda: find_branch(program, folder))]
    if not repo and is_web(settings.github.url):
        missing.append(_elsewhere(origin_url(program, folder), settings.github.url))
    return app.path.repository, missing


def _clone_without_git(folder: Path, repo: str | None) -> Missing | None:
    """Look for what git says where it is there: https://git-scm.com/docs/gitrepository-layout."""
    absolute = folder.absolute()
    found = next((above / ".git" for above in (absolute, *absolute.parents) if (above / ".git").exists()), None)
    if found is None:
        return Missing(NO_REPOSITORY.format(folder=absolute))
    if repo or not (found / "config").is_file() or _ORIGIN.search((found / "config").read_text(errors="replace")):
        return None
    return Missing(NO_ORIGIN.format(folder=absolute))


def _elsewhere(origin: str, github: str) -> Missing | None:
    """Look whether a remote leads to the GitHub that init sets up; a host without a dot is a name of ssh's settings."""
    found, wanted = _HOST.match(origin), urlsplit(github).hostname or ""
    host = (found["host"] or found["scp"]).lower() if found else ""
    if found and ("." not in host or host.removeprefix("ssh.") == wanted):
        return None
    return Missing(
        f"the remote `origin` leads to {host or origin}, and not to {wanted}, where init sets up deployments",
        "name the repository there (--repo OWNER/REPO); without GitHub: dppctl init --local; a GitHub of your own: "
        "DPPCTL_GITHUB_URL (docs/github.md)",
    )


def _github(settings: Settings, answers: Answers, repository: str | None) -> Iterator[Missing | None]:
    """Ask GitHub whose the tokens are that are given or kept, and what they may do; without one, whether it answers."""
    owner = "gh's token" if answers.gh else "the owner's token (--owner-token-file, DPPCTL_OWNER_TOKEN)"
    ours = answers.token or settings.github.token.get_secret_value()
    access: Access = "read" if answers.owner_token else "write"  # with the owner's token it gets what it needs
    named = [
        (owner, answers.owner_token, "read"),
        ("the servers' token (--token-file, DPPCTL_GITHUB_TOKEN)", ours, access),
    ]
    tokens = [(name, token, needed) for name, token, needed in named if token]
    for name, token, needed in tokens or [("", "", "none")]:
        client = github_client(settings, token)
        try:
            if not token:
                client.requester.requestJsonAndCheck("GET", "/meta")
                continue
            known = read_token(client, [repository] if repository else [])
        except (GithubException, requests.RequestException) as error:
            why = explain(error, repository or "GitHub", name)
            if token or isinstance(error, requests.RequestException):
                yield Missing(str(why))
            if isinstance(why, GitHubAwayError):
                return  # it would say the same of the next one
        else:
            needs: dict[str, Access] = {repository: needed} if repository else {}
            yield from map(Missing, problems(known, needs, datetime.now(UTC)))


def _to_ask(answers: Answers, settings: Settings, *, is_local: bool, how: str) -> Iterator[Missing]:
    """Look for answers that only a person has; `how`: what happens to such questions."""
    github = settings.github
    keys = answers.deploy_key or bool(github.deploy_keys)
    if answers.deploy_key and not answers.owner_token:
        yield Missing(
            f"GitHub Auth Token of somebody who administers the repositories: {how}",
            "give --owner-token-file FILE, or --gh",
        )
    if is_local and not (keys or answers.token or github.token.get_secret_value() or answers.app_id or github.app_id):
        yield Missing(f"GitHub Auth Token: {how}", how_to_get(github.url))
