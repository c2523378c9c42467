"""What the fake GitHub answers: one method for each operation, made from the example in GitHub's own description."""

import base64
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import requests
from flask import request

from tests.support.forge import git
from tests.support.github.git_ssh import write_authorized_keys
from tests.support.github.openapi import operations
from tests.support.github.permissions import Refused, reached
from tests.support.github.state import Json, Repo, State, Token
from webhooks.signature import sign

Answer = tuple[int, Any]


class Answers:
    """Called with an operation, who asks, the path's parts and the body; the status and the body of the answer."""

    def __init__(self, github: State) -> None:
        self._github = github

    def __call__(self, identity: str, token: Token | str | None, where: Mapping[str, str], body: Json) -> Answer:
        if token is None:
            raise Refused(401, "Bad credentials")
        about = getattr(self, identity.replace("/", "_").replace("-", "_"))
        if isinstance(token, str) != (identity.startswith("apps/") and "accessible" not in identity):
            raise Refused(401, "A JSON web token could not be decoded")
        if isinstance(token, str) or "repo" not in where:
            return about(token, body, **where)  # type: ignore[no-any-return]
        rest = {name: value for name, value in where.items() if name not in ("owner", "repo")}
        return about(token, body, reached(self._github, identity, token, where), **rest)  # type: ignore[no-any-return]

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
        return shown | {  # type: ignore[no-any-return]
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

    def _commit(self, repo: Repo, name: str, message: str = "Not Found", status: int = 404) -> str:
        try:
            return git(repo.git.bare, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except AssertionError:
            raise Refused(status, message) from None

    # --- webhooks

    def repos_list_webhooks(self, _: Token, __: Json, repo: Repo) -> Answer:
        return 200, list(repo.hooks.values())

    def repos_create_webhook(self, _: Token, body: Json, repo: Repo) -> Answer:
        config = body["config"]
        if any(hook["config"]["url"] == config["url"] for hook in repo.hooks.values()):
            raise Refused(422, "Hook already exists on this repository")
        number = self._github.number()
        url = f"https://api.github.com/repos/{repo.full_name}/hooks/{number}"
        more = {"id": number, "url": url, "ping_url": f"{url}/pings", "test_url": f"{url}/test", "active": True}
        more["deliveries_url"] = f"{url}/deliveries"
        repo.hooks[number] = example("repos/create-webhook") | more | {"events": body.get("events", ["push"])}
        repo.deliveries[number] = []
        self._configure(repo, number, {"content_type": "form", "insecure_ssl": "0", **config})
        self.deliver(repo, number, "ping", {"zen": "Keep it logically awesome.", "hook_id": number})
        return 201, repo.hooks[number]

    def repos_get_webhook(self, _: Token, __: Json, repo: Repo, hook_id: str) -> Answer:
        return 200, found(repo.hooks, hook_id)

    def repos_update_webhook(self, _: Token, body: Json, repo: Repo, hook_id: str) -> Answer:
        hook = found(repo.hooks, hook_id)
        if "config" in body:  # it is replaced as a whole: https://docs.github.com/en/rest/repos/webhooks
            self._configure(repo, hook["id"], {"content_type": "form", "insecure_ssl": "0", **body["config"]})
        hook |= {name: body[name] for name in ("active", "events") if name in body}
        hook["events"] = sorted({*hook["events"], *body.get("add_events", [])} - {*body.get("remove_events", [])})
        return 200, hook

    def _configure(self, repo: Repo, number: int, config: Json) -> None:
        repo.secrets[number] = config.pop("secret", "")
        repo.hooks[number]["config"] = config | ({"secret": "********"} if repo.secrets[number] else {})

    def repos_delete_webhook(self, _: Token, __: Json, repo: Repo, hook_id: str) -> Answer:
        del repo.hooks[found(repo.hooks, hook_id)["id"]]
        return 204, None

    def repos_ping_webhook(self, _: Token, __: Json, repo: Repo, hook_id: str) -> Answer:
        hook = found(repo.hooks, hook_id)
        self.deliver(repo, hook["id"], "ping", {"zen": "Design for failure.", "hook_id": hook["id"]})
        return 204, None

    def repos_list_webhook_deliveries(self, _: Token, __: Json, repo: Repo, hook_id: str) -> Answer:
        newest = repo.deliveries[found(repo.hooks, hook_id)["id"]][::-1]
        fields = example("repos/list-webhook-deliveries")[0].keys()
        return 200, [{name: one[name] for name in fields} for one in newest[: int(request.args.get("per_page", 30))]]

    def repos_get_webhook_delivery(self, _: Token, __: Json, repo: Repo, hook_id: str, delivery_id: str) -> Answer:
        return 200, self._delivery(repo, hook_id, delivery_id)

    def repos_redeliver_webhook_delivery(
        self, _: Token, __: Json, repo: Repo, hook_id: str, delivery_id: str
    ) -> Answer:
        one = self._delivery(repo, hook_id, delivery_id)
        self.deliver(repo, int(hook_id), one["event"], one["request"]["payload"], one["guid"])
        return 202, {}

    def _delivery(self, repo: Repo, hook_id: str, delivery_id: str) -> Json:
        every = repo.deliveries[found(repo.hooks, hook_id)["id"]]
        return found({one["id"]: one for one in every}, delivery_id)

    def deliver(self, repo: Repo, number: int, event: str, payload: Json, guid: str | None = None) -> None:
        """Post it to the hook's URL and note how that went. With the id of an earlier one it is a redelivery."""
        config = repo.hooks[number]["config"]
        body = json.dumps(payload).encode()
        started, status, code = time.monotonic(), "OK", 0
        headers = {
            "Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": guid or str(uuid4()),
            "X-GitHub-Hook-ID": str(number), "X-Hub-Signature-256": sign(body, repo.secrets[number]),
        }  # fmt: skip
        try:
            answer = requests.post(config["url"], data=body, headers=headers, timeout=10)
            code, status = answer.status_code, "OK" if answer.ok else f"Invalid HTTP Response: {answer.status_code}"
        except requests.RequestException:
            status = "failed to connect to host"
        shown = example("repos/get-webhook-delivery")
        shown["request"] = {"headers": headers, "payload": payload}
        repo.deliveries[number].append(shown | {
            "id": self._github.number(), "guid": headers["X-GitHub-Delivery"], "delivered_at": _now(),
            "redelivery": guid is not None, "duration": round(time.monotonic() - started, 2), "status": status,
            "status_code": code, "event": event, "action": None, "installation_id": None, "repository_id": repo.id,
        })  # fmt: skip

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

    # --- deployments and statuses

    def repos_list_deployments(self, _: Token, __: Json, repo: Repo) -> Answer:
        wanted = {name: request.args[name] for name in ("sha", "ref", "task", "environment") if name in request.args}
        newest = list(repo.deployments.values())[::-1]
        return 200, [one for one in newest if wanted.items() <= one.items()]

    def repos_create_deployment(self, _: Token, body: Json, repo: Repo) -> Answer:
        if body.get("auto_merge", True) or body.get("required_contexts") != []:
            raise Refused(409, "Conflict: Commit status checks failed for master.")
        commit = self._commit(repo, body["ref"], f"No ref found for: {body['ref']}", 422)
        number = self._github.number()
        names = ("ref", "task", "payload", "environment", "description", "production_environment")
        given = {name: body[name] for name in names if name in body}
        url = f"https://api.github.com/repos/{repo.full_name}/deployments/{number}"
        mine = {"id": number, "sha": commit, "created_at": _now(), "updated_at": _now(), "url": url, **given}
        mine |= {"statuses_url": f"{url}/statuses", "original_environment": body["environment"]}
        repo.deployments[number] = example("repos/create-deployment") | mine
        repo.deployment_statuses[number] = []
        return 201, repo.deployments[number]

    def repos_get_deployment(self, _: Token, __: Json, repo: Repo, deployment_id: str) -> Answer:
        return 200, found(repo.deployments, deployment_id)

    def repos_list_deployment_statuses(self, _: Token, __: Json, repo: Repo, deployment_id: str) -> Answer:
        return 200, repo.deployment_statuses[found(repo.deployments, deployment_id)["id"]][::-1]

    def repos_create_deployment_status(self, _: Token, body: Json, repo: Repo, deployment_id: str) -> Answer:
        deployment = found(repo.deployments, deployment_id)
        given = {name: value for name, value in body.items() if name != "auto_inactive"}
        number = self._github.number()
        url = f"{deployment['url']}/statuses/{number}"
        mine = {
            "id": number,
            "url": url,
            "created_at": _now(),
            "updated_at": _now(),
            "deployment_url": deployment["url"],
        }
        status = example("repos/create-deployment-status") | {"log_url": "", "environment_url": ""} | given | mine
        repo.deployment_statuses[deployment["id"]].append(status)
        return 201, status

    def repos_create_commit_status(self, _: Token, body: Json, repo: Repo, sha: str) -> Answer:
        self._commit(repo, sha, f"No commit found for SHA: {sha}", 422)
        if len(body.get("description") or "") > 140:
            raise Refused(422, "Validation Failed: description is too long (maximum is 140 characters)")
        status = example("repos/create-commit-status") | {"target_url": None, "description": None, **body}
        repo.commit_statuses.setdefault(sha, []).append(status | {"id": self._github.number()})
        return 201, status

    def repos_list_commit_statuses_for_ref(self, _: Token, __: Json, repo: Repo, ref: str) -> Answer:
        return 200, repo.commit_statuses.get(self._commit(repo, ref), [])[::-1]

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


def example(identity: str) -> Any:
    """What the description has as the answer when it goes well."""
    return operations()[identity].example()


def found(every: Mapping[int, Any], number: str) -> Any:
    if int(number) not in every:
        raise Refused(404, "Not Found")
    return every[int(number)]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
