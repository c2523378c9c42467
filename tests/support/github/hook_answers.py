"""What the fake GitHub answers about webhooks, and what it delivers to them."""

import json
import time
from uuid import uuid4

import requests
from flask import request

from tests.support.github.examples import Answer, FromState, example, found, now
from tests.support.github.permissions import Refused
from tests.support.github.state import Json, Repo, Token
from webhooks.signature import sign


class HookAnswers(FromState):
    """A method for each operation."""

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
        number = found(repo.hooks, hook_id)["id"]
        for held in (repo.hooks, repo.secrets, repo.deliveries):
            del held[number]
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
            "id": self._github.number(), "guid": headers["X-GitHub-Delivery"], "delivered_at": now(),
            "redelivery": guid is not None, "duration": round(time.monotonic() - started, 2), "status": status,
            "status_code": code, "event": event, "action": None, "installation_id": None, "repository_id": repo.id,
        })  # fmt: skip
