"""The fake is used as its users use it: by PyGithub and by git."""

from pathlib import Path

import pytest
from github import Auth, Github, GithubException

from tests.support.forge import APP, Forge
from tests.support.github.fake import FakeGitHub, fake_github


def client(github: FakeGitHub, token: str) -> Github:
    return Github(base_url=github.api_url, auth=Auth.Token(token), retry=None, seconds_between_writes=None)


def test_a_person_sets_a_repository_up(github: FakeGitHub) -> None:
    github.user("ann", "hers")
    github.user("robot", "its")
    mine = client(github, "hers")
    assert mine.get_user().login == "ann"
    assert mine.oauth_scopes == ["repo"]
    repo = mine.get_user().create_repo("ops", private=True, auto_init=True)
    assert (repo.full_name, repo.private, repo.permissions.admin) == ("ann/ops", True, True)
    with pytest.raises(GithubException, match="Not Found"):
        client(github, "its").get_repo("ann/ops")
    repo.add_to_collaborators("robot", "push")
    (invitation,) = client(github, "its").get_user().get_invitations()
    client(github, "its").get_user().accept_invitation(invitation)
    assert client(github, "its").get_repo("ann/ops").permissions.push
    key = repo.create_key("dppctl", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0 dppctl", read_only=False)
    assert [one.id for one in repo.get_keys()] == [key.id]
    key.delete()
    hook = repo.create_hook("web", {"url": "http://127.0.0.1:9/", "content_type": "json", "secret": "s"}, ["push"])
    hook.edit("web", {"url": "http://127.0.0.1:9/", "content_type": "json"}, events=["push", "create"])
    hook.ping()
    assert [one.status for one in repo.get_hook_deliveries(hook.id)] == ["failed to connect to host"] * 2
    hook.delete()
    assert repo.get_hooks().totalCount == 0


def test_what_else_is_asked_is_answered_as_described(github: FakeGitHub) -> None:
    github.user("ann", "hers")
    github.user("robot", "its")
    repo = github.repository("ann/app", robot="write")
    commit = repo.git.push(APP)
    repo.protected = {"master"}
    mine = client(github, "hers").get_repo("ann/app")
    assert mine.has_in_collaborators("robot")
    assert mine.get_collaborator_permission("robot") == "write"
    mine.remove_from_collaborators("robot")
    assert not mine.has_in_collaborators("robot")
    assert (mine.default_branch, mine.get_branch("master").protected) == ("master", True)
    file = mine.get_contents(".dppctl.yaml")
    assert not isinstance(file, list)
    assert b"appRepoPath" in file.decoded_content
    mine.get_commit("master").create_status("success", context="checks")
    _, found = mine.requester.requestJsonAndCheck("GET", f"{mine.url}/commits/{commit}/statuses")
    assert [one["context"] for one in found] == ["checks"]
    deployment = mine.create_deployment(commit, environment="e", auto_merge=False, required_contexts=[])
    deployment.create_status("success")
    assert [one.state for one in mine.get_deployment(deployment.id).get_statuses()] == ["success"]
    assert client(github, "hers").get_user("robot").type == "User"
    key = mine.create_key("dppctl", "ssh-ed25519 AAAA", read_only=False)
    assert not mine.get_key(key.id).read_only
    repo.archived = True
    with pytest.raises(GithubException, match="archived"):
        mine.create_key("dppctl", "ssh-ed25519 BBBB", read_only=False)
    assert github.count("^POST ") == len(github.writes) - 1  # the other one took a collaborator away


def test_an_organizations_repository_is_its_members_to_make(github: FakeGitHub) -> None:
    github.user("ann", "hers")
    github.organization("acme", "ann")
    made = client(github, "hers").get_organization("acme").create_repo("ops")
    assert made.full_name == "acme/ops"


@pytest.mark.needs("npm")
def test_git_needs_a_token(tmp_path: Path) -> None:
    forge = Forge(tmp_path)
    with fake_github(forge) as github:
        repo = github.repository("ann/app")
        repo.git.push(APP)
        github.user("ann", "hers")
        with pytest.raises(AssertionError, match=r"could not read|Authentication failed"):
            repo.git.git("-c", "core.askPass=true", "ls-remote", f"{github.url}/ann/app.git")
        url = github.url.replace("//", "//x:hers@")
        assert repo.git.git("ls-remote", f"{url}/ann/app.git", "HEAD")
        repo.git.git("push", f"{url}/ann/app.git", "HEAD:refs/heads/other")
        repo.git.git("commit", "--quiet", "--allow-empty", "--message", "next")
        repo.protected = {"master"}
        with pytest.raises(AssertionError, match="GH006"):
            repo.git.git("push", f"{url}/ann/app.git", "HEAD:master")
