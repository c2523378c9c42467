"""What the fake GitHub answers about deployments, and about the statuses of commits."""

from flask import request

from tests.support.github.examples import Answer, FromState, example, found, now
from tests.support.github.permissions import Refused
from tests.support.github.state import Json, Repo, Token


class DeploymentAnswers(FromState):
    """A method for each operation."""

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
        mine = {"id": number, "sha": commit, "created_at": now(), "updated_at": now(), "url": url, **given}
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
            "created_at": now(),
            "updated_at": now(),
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
