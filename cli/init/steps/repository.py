"""The ops repo on GitHub: made where it does not exist."""

from dataclasses import dataclass

from github import Github, GithubException, UnknownObjectException
from github.Repository import Repository

from bot.github.errors import explain, lacks_right
from cli.errors import InputError
from cli.init.steps.step import Change


def find_repository(github: Github, name: str) -> Repository | None:
    """Return the repository OWNER/REPO; None when the client's token does not see it. Raises GithubException."""
    try:
        return github.get_repo(name)
    except UnknownObjectException:
        return None


def check_repository(repository: Repository, name: str, where: str) -> None:
    """Raise InputError for a repository that is archived, or has another name than OWNER/REPO `name`.

    GitHub answers to an old name as to the new one, but says the new one in what it sends. `where`: what to correct.
    """
    if repository.full_name.lower() != name.lower():
        raise InputError(
            f"{name} is called {repository.full_name} on GitHub now, and nothing that GitHub says of it would be known "
            f"by the old name; correct it in {where}, and run dppctl init again"
        )
    if repository.archived:
        raise InputError(f"{name} is archived on GitHub, so nothing can be pushed or set there; unarchive it first")


def refused(error: GithubException, repository: str, message: str) -> Exception:
    """Return the error to raise for a refusal: with this message, when a right is missing; else what GitHub says."""
    if lacks_right(error):
        return InputError(message)
    return InputError(str(explain(error, repository, "the token"))) if error.status in (403, 404, 429) else error


@dataclass(frozen=True)
class RepositoryStep:
    """GitHub has such a repository."""

    github: Github  # of somebody who may make it
    name: str  # OWNER/REPO

    def observe(self) -> Change | str:
        """Ask for the repository; a change makes a private one."""
        if found := find_repository(self.github, self.name):
            check_repository(found, self.name, ".dppctl.yaml (opsRepoPath), and apps.yaml")
            return f"the repository {self.name} is there"
        return Change(f"create the private repository {self.name}", self._create)

    def _create(self) -> None:
        owner, _, name = self.name.partition("/")
        user = self.github.get_user()
        try:
            if user.login.lower() == owner.lower():
                user.create_repo(name, private=True)
            else:
                self.github.get_organization(owner).create_repo(name, private=True)
        except UnknownObjectException:
            raise self._refused(f"{owner} is neither {user.login} nor an organization of theirs") from None
        except GithubException as error:
            if error.status == 422 or lacks_right(error):
                raise self._refused(str(error.message or error.status)) from None
            raise refused(error, self.name, "") from None

    def _refused(self, reason: str) -> InputError:
        return InputError(
            f"the repository {self.name} cannot be made with this token ({reason}); make it on GitHub, or give the "
            "owner's token (--owner-token-file), and run dppctl init again"
        )
