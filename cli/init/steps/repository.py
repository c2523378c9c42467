"""The ops repo on GitHub: made where it does not exist."""

from dataclasses import dataclass

from github import Github, GithubException, UnknownObjectException
from github.Repository import Repository

from cli.errors import InputError
from cli.init.steps.step import Change


def find_repository(github: Github, name: str) -> Repository | None:
    """Return the repository OWNER/REPO; None when the client's token does not see it. Raises GithubException."""
    try:
        return github.get_repo(name)
    except UnknownObjectException:
        return None


@dataclass(frozen=True)
class RepositoryStep:
    """GitHub has such a repository."""

    github: Github  # of somebody who may make it
    name: str  # OWNER/REPO

    def observe(self) -> Change | str:
        """Ask for the repository; a change makes a private one."""
        if find_repository(self.github, self.name):
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
            if error.status not in (403, 422):
                raise
            raise self._refused(str(error.message or error.status)) from None

    def _refused(self, reason: str) -> InputError:
        return InputError(
            f"the repository {self.name} cannot be made with this token ({reason}); make it on GitHub, or give the "
            "owner's token (--owner-token-file), and run dppctl init again"
        )
