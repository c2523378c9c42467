"""The machine user on GitHub: what its token may do, and its invitations to the repositories."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from github import Github

from cli.errors import InputError
from cli.init.identity.permissions import Role, lacking
from cli.init.identity.token import Access, Token, problems, summary
from cli.init.steps.repository import find_repository
from cli.init.steps.step import Change


def read_token(github: Github, repositories: Iterable[str]) -> Token:
    """Return what GitHub says of the client's token, and of its access to OWNER/REPO. Raises GithubException.

    https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps and, for the expiry header,
    https://github.blog/changelog/2021-07-26-expiration-options-for-personal-access-tokens/
    """
    user = github.get_user()
    login = user.login
    headers = {name.lower(): str(value) for name, value in user.raw_headers.items()}
    scopes = headers.get("x-oauth-scopes")
    expires = headers.get("github-authentication-token-expiration")
    return Token(
        login=login,
        scopes=None if scopes is None else frozenset(scopes.replace(",", " ").split()),
        expires=_time(expires) if expires else None,
        access={name: _access(github, name) for name in repositories},
    )


@dataclass(frozen=True)
class MachineUserStep:
    """The machine user has the access that it needs."""

    github: Github  # the machine user's
    owner: Github | None  # somebody's who may invite
    needed: Mapping[str, Access]
    # Repositories where a new token's permissions are tried, if it is a fine-grained one.
    tried: Mapping[str, Role] = field(default_factory=dict)

    def observe(self) -> Change | str:
        """Ask GitHub what the token may do. Raises InputError for what only a person can change."""
        now = datetime.now(UTC)
        token = read_token(self.github, self.needed)
        found = problems(token, self.needed, now)
        if not found and token.scopes is None and self.tried:
            return Change(f"try what the fine-grained token of {token.login} may do", lambda: self._try(token))
        if not found:
            return summary(token, now)
        closed = [name for name, access in self.needed.items() if problems(token, {name: access}, now)]
        if self.owner is None or problems(token, {}, now):
            raise InputError("; ".join(found))
        return Change(
            f"invite {token.login} to {', '.join(closed)} with write access, and accept as {token.login}",
            lambda: self._invite(token.login, closed),
        )

    def _invite(self, login: str, repositories: list[str]) -> str:
        assert self.owner  # noqa: S101 (only then there is this change)
        for name in repositories:
            repository = find_repository(self.owner, name)
            if repository is None:
                raise InputError(f"the owner's token does not reach {name}; it must be of somebody who administers it")
            repository.add_to_collaborators(login, "push")
        user = self.github.get_user()
        wanted = {name.lower() for name in repositories}
        for invitation in user.get_invitations():
            if invitation.repository.full_name.lower() in wanted:
                user.accept_invitation(invitation)
        now = datetime.now(UTC)
        token = read_token(self.github, self.needed)
        still = problems(token, {name: self.needed[name] for name in repositories}, now)
        if still:
            raise InputError("; ".join(still))
        return self._try(token) if token.scopes is None else summary(token, now)

    def _try(self, token: Token) -> str:
        if missing := lacking(self.github, self.tried):
            raise InputError(
                f"the token of {token.login} lacks permissions: {'; '.join(missing)}. Add them to it on GitHub "
                "(Settings, Developer settings, Fine-grained tokens), and run dppctl init again"
            )
        return summary(token, datetime.now(UTC))


def _access(github: Github, name: str) -> Access:
    repository = find_repository(github, name)
    if repository is None:
        return "none"
    may = repository.permissions
    if may is None:
        return "read"
    return "admin" if may.admin else "write" if may.push else "read"


def _time(text: str) -> datetime | None:
    """Parse `2026-11-24 22:00:00 UTC`, or with an offset; None: it is neither."""
    for form in ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %z"):
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
