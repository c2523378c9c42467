"""What the fake GitHub answers about pull requests and the comments on them."""

from flask import request

from tests.support.github.examples import Answer, FromState, example, found, now
from tests.support.github.permissions import Refused
from tests.support.github.state import Json, Repo, Token


class PullAnswers(FromState):
    """A method for each operation."""

    def pulls_list(self, _: Token, __: Json, repo: Repo) -> Answer:
        (shown,) = example("pulls/list")
        wanted, head = request.args.get("state", "open"), request.args.get("head")
        size, page = int(request.args.get("per_page", "30")), int(request.args.get("page", "1"))
        all_of = [
            shown
            | {
                "number": number,
                "state": pull["state"],
                "requested_teams": [],  # the example of one is not as its own schema says
                "head": shown["head"] | {"ref": pull["head"], "repo": shown["head"]["repo"] | {"id": pull["repo"]}},
                "base": shown["base"] | {"repo": shown["base"]["repo"] | {"id": repo.id}},
            }
            for number, pull in sorted(repo.pulls.items(), reverse=True)
            if pull["state"] == wanted and head in (None, _head(pull, repo))
        ]
        return 200, all_of[(page - 1) * size : page * size]

    def issues_list_comments(self, _: Token, __: Json, repo: Repo, issue_number: str) -> Answer:
        self._pull(repo, issue_number)
        of_issue = [_shown(one) for one in repo.comments.values() if one["issue"] == int(issue_number)]
        size, page = int(request.args.get("per_page", "30")), int(request.args.get("page", "1"))
        return 200, of_issue[(page - 1) * size : page * size]

    def issues_get_comment(self, _: Token, __: Json, repo: Repo, comment_id: str) -> Answer:
        return 200, _shown(found(repo.comments, comment_id))

    def issues_create_comment(self, token: Token, body: Json, repo: Repo, issue_number: str) -> Answer:
        self._pull(repo, issue_number)
        self._check(body)
        number = self._github.number()
        comment = example("issues/create-comment")
        user = comment["user"] | {"login": token.user}
        mine = {"id": number, "body": body["body"], "user": user, "created_at": now(), "updated_at": now()}
        repo.comments[number] = comment | mine | {"issue": int(issue_number)}
        return 201, _shown(repo.comments[number])

    def issues_update_comment(self, _: Token, body: Json, repo: Repo, comment_id: str) -> Answer:
        self._check(body)
        found(repo.comments, comment_id).update(body=body["body"], updated_at=now())
        return 200, _shown(repo.comments[int(comment_id)])

    def _pull(self, repo: Repo, number: str) -> None:
        if int(number) not in repo.pulls:
            raise Refused(404, "Not Found")

    def _check(self, body: Json) -> None:
        if len(body["body"]) > 65536:
            raise Refused(422, "Validation Failed: body is too long (maximum is 65536 characters)")


def _head(pull: Json, repo: Repo) -> str:
    """Return what the pull request is found by, with the query's `head`; a fork is somebody else's."""
    return f"{repo.owner if pull['repo'] == repo.id else 'somebody'}:{pull['head']}"


def _shown(comment: Json) -> Json:
    return {name: value for name, value in comment.items() if name != "issue"}
