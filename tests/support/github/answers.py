"""What the fake GitHub answers: one method for each operation, made from the example in GitHub's own description."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from flask import request

from tests.support.forge import git
from tests.support.github.deployment_answers import DeploymentAnswers
from tests.support.github.examples import Answer, example, found
from tests.support.github.git_ssh import write_authorized_keys
from tests.support.github.hook_answers import HookAnswers
from tests.support.github.permissions import Refused, reached
from tests.support.github.pull_answers import PullAnswers
from tests.support.github.state import Json, Repo, Token


class Answers(HookAnswers, DeploymentAnswers, PullAnswers):
    """Called with an operation, who asks, the path's parts and the body; the status and the body of the answer."""

    def __call__(self, identity: str, token: Token | str | None, where: Mapping[str, str], body: Json) -> Answer:
        if token is None:
            raise Refused(401, "Bad credentials")
        about = getattr(self, identity.replace("/", "_").replace("-", "_"))
        if isinstance(token, str) != (identity.startswith("apps/") and "accessible" not in identity):
            raise Refused(401, "A JSON web token could not be decoded")
        if isinstance(token, str) or "repo" not in where:
            return about(token, body, **where)
        rest = {name: value for name, value in where.items() if name not in ("owner", "repo")}
        return about(token, body, reached(self._github, identity, token, where), **rest)

    # --- accounts and repositories

    def meta_get(self, _: Token, __: Json) -> Answer:
        shown = example("meta/get")  # whose fingerprints are numbers, against its own schema
        prints = {name: str(value) for name, value in shown["ssh_key_fingerprints"].items()}
        return 200, shown | {"ssh_key_fingerprints": prints, "ssh_keys": self._github.ssh_keys}

    def users_get_authenticated(self, token: Token, _: Json) -> Answer:
        if token.is_installation:
            raise Refused(403, "Resource not accessible by integration")
        login = token.user
        return 200, example("users/get-authenticated") | {"login": login, "id": self._github.users[login]}

    def users_get_by_username(self, _: Token, __: Json, username: str) -> Answer:
        if username not in self._github.users:
            raise Refused(404, "Not Found")
        kind = "Organization" if username in self._github.organizations else "User"
        mine = {"login": username, "id": self._github.users[username], "type": kind}
        mine["url"] = f"https://api.github.com/users/{username}"
        return 200, example("users/get-by-username") | mine

    def orgs_get(self, _: Token, __: Json, org: str) -> Answer:
        if org not in self._github.organizations:
            raise Refused(404, "Not Found")
        more = {"login": org, "archived_at": None, "url": f"https://api.github.com/orgs/{org}"}
        return 200, example("orgs/get") | more

    def orgs_list_for_authenticated_user(self, token: Token, _: Json) -> Answer:
        if token.scopes is not None and not {"read:org", "user"} & set(token.scopes):
            raise Refused(403, "You need at least read:org scope or user scope to list your organizations.")
        of = [name for name, members in self._github.organizations.items() if token.user in members]
        (shown,) = example("orgs/list-for-authenticated-user")
        start = (int(request.args.get("page", "1")) - 1) * int(request.args.get("per_page", "30"))
        page = of[start : start + int(request.args.get("per_page", "30"))]
        return 200, [shown | {"login": name, "id": self._github.users[name]} for name in page]

    def repos_get(self, token: Token, _: Json, repo: Repo) -> Answer:
        return 200, self._shown(token, repo)

    def repos_create_for_authenticated_user(self, token: Token, body: Json) -> Answer:
        return self._create(token, token.user, body)

    def repos_create_in_org(self, token: Token, body: Json, org: str) -> Answer:
        if token.user not in self._github.organizations.get(org, ()):
            raise Refused(403, "You need admin access to the organization before adding a repository to it.")
        return self._create(token, org, body)

    def _create(self, token: Token, owner: str, body: Json) -> Answer:
        name = f"{owner}/{body['name']}"
        if name.lower() in self._github.repos:
            raise Refused(422, "Repository creation failed.")
        if token.scopes is not None and "repo" not in token.scopes:
            raise Refused(404, "Not Found")
        if token.scopes is None and token.permissions.get("administration") != "write":
            needed = {"X-Accepted-GitHub-Permissions": "administration=write"}
            raise Refused(403, "Resource not accessible by personal access token", needed)
        repo = self._github.repository(name, **{token.user: "admin"})
        repo.private = bool(body.get("private"))
        if body.get("auto_init"):
            repo.git.push({"README.md": f"# {body['name']}\n"}, branch="master", message="Initial commit")
        return 201, self._shown(token, repo)

    def _shown(self, token: Token, repo: Repo) -> Json:
        url = f"{request.url_root}{repo.full_name}"
        owner = {"login": repo.owner, "id": self._github.users[repo.owner]}
        may = {"pull": "read", "push": "write", "admin": "admin"}
        shown = example("repos/create-for-authenticated-user")
        return shown | {
            "id": repo.id, "name": repo.full_name.split("/")[1], "full_name": repo.full_name, "private": repo.private,
            "owner": shown["owner"] | owner, "html_url": url, "clone_url": f"{url}.git", "archived": repo.archived,
            "url": f"https://api.github.com/repos/{repo.full_name}", "default_branch": repo.default_branch,
            "permissions": {name: token.is_installation or repo.may(token.user, role) for name, role in may.items()},
            "has_discussions": False, "network_count": 0, "subscribers_count": 0,
        }  # fmt: skip

    def repos_get_branch(self, _: Token, __: Json, repo: Repo, branch: str) -> Answer:
        commit = self._commit(repo, f"refs/heads/{branch}", "Branch not found")
        shown = example("repos/get-branch") | {"name": branch, "protected": branch in repo.protected}
        shown["commit"] |= {"sha": commit}
        return 200, shown

    def repos_list_branches(self, _: Token, __: Json, repo: Repo) -> Answer:
        lines = git(repo.git.bare, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        (shown,) = example("repos/list-branches")
        del shown["protection"]  # where it lacks what its own schema wants
        return 200, [
            shown | {"name": name, "commit": shown["commit"] | {"sha": commit}, "protected": name in repo.protected}
            for name, commit in (line.split() for line in lines)
        ]

    def git_create_ref(self, _: Token, body: Json, repo: Repo) -> Answer:
        commit = self._commit(repo, body["sha"], "Object does not exist", 422)
        git(repo.git.bare, "update-ref", body["ref"], commit)
        shown = example("git/create-ref") | {"ref": body["ref"]}
        return 201, shown | {"object": shown["object"] | {"sha": commit}}

    def repos_get_commit(self, _: Token, __: Json, repo: Repo, ref: str) -> Answer:
        commit = self._commit(repo, ref, f"No commit found for SHA: {ref}", 422)
        url = f"https://api.github.com/repos/{repo.full_name}/commits/{commit}"
        return 200, example("repos/get-commit") | {"sha": commit, "url": url, "files": []}

    def repos_get_content(self, _: Token, __: Json, repo: Repo, path: str) -> Answer:
        commit = self._commit(repo, request.args.get("ref", "HEAD"))
        try:
            content = git(repo.git.bare, "show", f"{commit}:{path}")
        except AssertionError:
            raise Refused(404, "Not Found") from None
        text = base64.b64encode(content.encode()).decode()
        return 200, example("repos/get-content") | {"path": path, "content": text, "size": len(content)}

    # --- keys, collaborators

    def repos_list_deploy_keys(self, _: Token, __: Json, repo: Repo) -> Answer:
        return 200, list(repo.keys.values())

    def repos_create_deploy_key(self, _: Token, body: Json, repo: Repo) -> Answer:
        every = [key["key"] for one in self._github.repos.values() for key in one.keys.values()]
        key = " ".join(body["key"].split()[:2])
        if key in every:
            raise Refused(422, "key is already in use")
        number = self._github.number()
        mine = {"id": number, "key": key, "title": body.get("title", ""), "read_only": body.get("read_only", False)}
        mine["url"] = f"https://api.github.com/repos/{repo.full_name}/keys/{number}"
        repo.keys[number] = example("repos/create-deploy-key") | mine
        write_authorized_keys(self._github)
        return 201, repo.keys[number]

    def repos_get_deploy_key(self, _: Token, __: Json, repo: Repo, key_id: str) -> Answer:
        return 200, found(repo.keys, key_id)

    def repos_delete_deploy_key(self, _: Token, __: Json, repo: Repo, key_id: str) -> Answer:
        del repo.keys[found(repo.keys, key_id)["id"]]
        write_authorized_keys(self._github)
        return 204, None

    def repos_check_collaborator(self, _: Token, __: Json, repo: Repo, username: str) -> Answer:
        if username not in {*repo.roles, repo.owner}:
            raise Refused(404, f"{username} is not a user")
        return 204, None

    def repos_get_collaborator_permission_level(self, _: Token, __: Json, repo: Repo, username: str) -> Answer:
        role = "admin" if username == repo.owner else repo.roles.get(username, "none" if repo.private else "read")
        return 200, {"permission": role, "role_name": role, "user": None}

    def repos_add_collaborator(self, token: Token, body: Json, repo: Repo, username: str) -> Answer:
        if username not in self._github.users:
            raise Refused(404, "Not Found")
        role = {"pull": "read", "push": "write", "maintain": "write"}.get(body.get("permission", "push"), "admin")
        if username in {*repo.roles, repo.owner}:
            repo.roles[username] = role
            return 204, None
        for one in repo.invitations.values():
            if one["invitee"]["login"] == username:
                return 201, one
        number = self._github.number()
        shown = example("repos/add-collaborator") | {"id": number, "permissions": role}
        shown["invitee"] |= {"login": username, "id": self._github.users[username]}
        shown["inviter"] |= {"login": token.user}
        shown["repository"] |= {"full_name": repo.full_name, "id": repo.id, "name": repo.full_name.split("/")[1]}
        repo.invitations[number] = shown
        return 201, shown

    def repos_remove_collaborator(self, _: Token, __: Json, repo: Repo, username: str) -> Answer:
        repo.roles.pop(username, None)
        return 204, None

    def repos_list_invitations(self, _: Token, __: Json, repo: Repo) -> Answer:
        return 200, list(repo.invitations.values())

    def repos_list_invitations_for_authenticated_user(self, token: Token, _: Json) -> Answer:
        every = [one for repo in self._github.repos.values() for one in repo.invitations.values()]
        return 200, [one for one in every if one["invitee"]["login"] == token.user]

    def repos_accept_invitation_for_authenticated_user(self, token: Token, _: Json, invitation_id: str) -> Answer:
        for repo in self._github.repos.values():
            one = repo.invitations.get(int(invitation_id))
            if one and one["invitee"]["login"] == token.user:
                repo.roles[token.user] = repo.invitations.pop(one["id"])["permissions"]
                return 204, None
        raise Refused(404, "Not Found")

    # --- GitHub Apps

    def apps_get_authenticated(self, app: str, _: Json) -> Answer:
        return 200, example("apps/get-authenticated") | {"slug": f"app-{app}"}

    def apps_get_repo_installation(self, app: str, _: Json, owner: str, repo: str) -> Answer:
        for number, (identity, whose, permissions) in self._github.installations.items():
            if (identity, whose) == (app, owner) and f"{owner}/{repo}".lower() in self._github.repos:
                return 200, example("apps/get-repo-installation") | {"id": number, "permissions": permissions}
        raise Refused(404, "Not Found")

    def apps_create_installation_access_token(self, app: str, _: Json, installation_id: str) -> Answer:
        identity, owner, permissions = self._github.installations[int(installation_id)]
        if identity != app:
            raise Refused(404, "Not Found")
        expires = datetime.now(UTC) + timedelta(seconds=self._github.token_seconds)
        value = f"ghs_{uuid4().hex}"
        mine = Token(value, owner, None, permissions, expires=expires, is_installation=True)
        self._github.tokens[value] = mine
        shown = {"token": value, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "permissions": permissions}
        return 201, shown | {"repository_selection": "all"}

    def apps_list_repos_accessible_to_installation(self, token: Token, _: Json) -> Answer:
        every = [self._shown(token, repo) for repo in self._github.visible(token)]
        return 200, {"total_count": len(every), "repositories": every}
