"""GitHub's own description of its REST API, trimmed to what is used here: requests and answers are checked with it.

https://github.com/octokit/openapi
"""

import json
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from hashlib import sha256
from typing import Any

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.protocols import Validator

from tests.support.octokit import package

# All but `uri`: GitHub answers with an empty text where there is no address, which that is not.
_FORMATS = FormatChecker([name for name in FormatChecker.checkers if name != "uri"])
VERSION = "23.0.2"
FILE = "generated/api.github.com.json"
OPERATIONS = frozenset(
    {
        "meta/get",
        "users/get-authenticated",
        "users/get-by-username",
        "orgs/get",
        "orgs/list-for-authenticated-user",
        "repos/get",
        "repos/create-for-authenticated-user",
        "repos/create-in-org",
        "repos/get-branch",
        "repos/list-branches",
        "git/create-ref",
        "repos/get-content",
        "repos/get-commit",
        "repos/list-webhooks",
        "repos/create-webhook",
        "repos/get-webhook",
        "repos/update-webhook",
        "repos/delete-webhook",
        "repos/ping-webhook",
        "repos/list-webhook-deliveries",
        "repos/get-webhook-delivery",
        "repos/redeliver-webhook-delivery",
        "repos/list-deploy-keys",
        "repos/create-deploy-key",
        "repos/get-deploy-key",
        "repos/delete-deploy-key",
        "repos/check-collaborator",
        "repos/add-collaborator",
        "repos/remove-collaborator",
        "repos/get-collaborator-permission-level",
        "repos/list-invitations",
        "repos/list-invitations-for-authenticated-user",
        "repos/accept-invitation-for-authenticated-user",
        "repos/list-deployments",
        "repos/create-deployment",
        "repos/get-deployment",
        "repos/list-deployment-statuses",
        "repos/create-deployment-status",
        "repos/create-commit-status",
        "repos/list-commit-statuses-for-ref",
        "pulls/list",
        "issues/list-comments",
        "issues/get-comment",
        "issues/create-comment",
        "issues/update-comment",
        "apps/get-authenticated",
        "apps/get-repo-installation",
        "apps/create-installation-access-token",
        "apps/list-repos-accessible-to-installation",
    }
)


# What PyGithub sends besides, from older versions of the API; GitHub ignores it.
_IGNORED = {"repos/update-webhook": {"name"}}


class Operation:
    """One method of one path."""

    def __init__(self, path: str, method: str, described: dict[str, Any], root: dict[str, Any]) -> None:
        self.id: str = described["operationId"]
        self.path, self.method = path, method.upper()
        self._described, self._root = described, root
        self._validators: dict[str, Validator] = {}

    def check_request(self, query: Mapping[str, str], body: object) -> None:
        """Raises AssertionError for what GitHub does not know or would refuse with 400 or 422."""
        parameters = [_resolved(one, self._root) for one in self._described.get("parameters", [])]
        known = {one["name"] for one in parameters if one["in"] == "query"}
        assert set(query) <= known, f"{self.id}: unknown in the query: {set(query) - known}"
        content = self._described.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            assert body in (None, {}), f"{self.id}: takes no body"
        elif body is not None or self._described["requestBody"].get("required"):
            schema = content["schema"]
            names = set(body) - _IGNORED.get(self.id, set()) if isinstance(body, dict) else set()
            unknown = names - set(schema["properties"]) if "properties" in schema else set()
            assert not unknown, f"{self.id}: unknown in the body: {unknown}"
            self._check(schema, body, "request")

    def check_answer(self, status: int, body: object) -> None:
        """Raises AssertionError for what GitHub would not answer; what any operation may answer is not looked at."""
        answers = self._described["responses"]
        if str(status) not in answers:
            assert status >= 400 or status == 301, f"{self.id}: does not answer {status}"
            return
        content = _resolved(answers[str(status)], self._root).get("content", {}).get("application/json")
        if content is None:
            assert body is None, f"{self.id}: {status} has no body"
        else:
            self._check(content["schema"], body, f"answer {status}")

    def example(self) -> Any:
        """A copy of what it answers in the description when it went well."""
        answers = self._described["responses"]
        good = _resolved(answers[min(status for status in answers if status < "3")], self._root)
        examples = good["content"]["application/json"]["examples"]
        return deepcopy(_resolved(next(iter(examples.values())), self._root)["value"])

    def _check(self, schema: dict[str, Any], value: object, what: str) -> None:
        if what not in self._validators:
            self._validators[what] = _validator(self._root, schema)
        errors = sorted(self._validators[what].iter_errors(value), key=lambda one: list(map(str, one.path)))
        first = f"{'.'.join(map(str, errors[0].path))}: {errors[0].message[:500]}" if errors else ""
        assert not errors, f"{self.id}: {what}: {first}"


@cache
def operations() -> dict[str, Operation]:
    """By id, such as `repos/get`."""
    root = _trimmed()
    found = ((path, method, one) for path, item in root["paths"].items() for method, one in item.items())
    return {one["operationId"]: Operation(path, method, one, root) for path, method, one in found}


def _trimmed() -> dict[str, Any]:
    """Only our operations and what they need, kept beside the whole, which takes seconds to read."""
    folder = package("openapi", VERSION, FILE)
    known = sha256(" ".join(sorted(OPERATIONS)).encode()).hexdigest()[:12]
    file = folder / f"trimmed-{known}.json"
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept
    whole = json.loads((folder / FILE).read_text())
    paths = {
        path: {method: one for method, one in item.items() if one["operationId"] in OPERATIONS}
        for path, item in whole["paths"].items()
    }
    trimmed: dict[str, Any] = {"paths": {path: item for path, item in paths.items() if item}, "components": {}}
    waiting = list(_references(trimmed))
    while waiting:
        _, _, kind, name = waiting.pop().split("/", 3)
        if name not in trimmed["components"].setdefault(kind, {}):
            trimmed["components"][kind][name] = part = whole["components"][kind][name]
            waiting += _references(part)
    _allow_null(trimmed)
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(trimmed))
    temporary.rename(file)
    return trimmed


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from _references(below)
    elif isinstance(value, list):
        for below in value:
            yield from _references(below)


def _allow_null(value: Any) -> None:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type: https://spec.openapis.org/oas/v3.0.3#schema-object"""
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _allow_null(below)
    if isinstance(value, dict) and value.get("nullable") is True:
        del value["nullable"]
        inner = dict(value)
        value.clear()
        value["anyOf"] = [inner, {"enum": [None]}]


def _resolved(value: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    _, _, kind, name = value["$ref"].split("/", 3)
    found: dict[str, Any] = root["components"][kind][name]
    return found


def _validator(root: dict[str, Any], schema: dict[str, Any]) -> Validator:
    whole = {"components": root["components"], "allOf": [schema]}
    return Draft4Validator(whole, format_checker=_FORMATS)
