"""The API's description by OpenAPI 3.1, made from the shapes of its answers: https://spec.openapis.org/oas/v3.1.0."""

import json
from functools import cache
from importlib.metadata import version
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.model.account import SESSION_COOKIE
from bot.store.tables import State
from webhooks.api_shapes import (
    DeploymentDetail,
    DeploymentList,
    EnvironmentHistory,
    EnvironmentList,
    ProblemAnswer,
)
from webhooks.limits import MAX_API_DEPLOYMENTS, MAX_FILTER, MAX_PAGE, PAGE_DEPLOYMENTS

_SHAPES = (DeploymentList, DeploymentDetail, EnvironmentList, EnvironmentHistory, ProblemAnswer)
_NAME = {"type": "string", "maxLength": MAX_FILTER}
_LIST_PARAMETERS = [
    ("app", "OWNER/REPO, or OWNER/REPO/PATH; only its deployments.", _NAME),
    ("environment", "Only deployments to it.", _NAME),
    ("state", "Only deployments in it.", {"type": "string", "enum": [*get_args(State)]}),
    ("page", "Counted from 1.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1}),
    ("size", "Deployments on a page.",
     {"type": "integer", "minimum": 1, "maximum": MAX_API_DEPLOYMENTS, "default": PAGE_DEPLOYMENTS}),
]  # fmt: skip
_PLACE = [
    {"name": "app", "in": "path", "required": True, "schema": {"type": "string"},
     "description": "OWNER/REPO, or OWNER/REPO/PATH. Its slashes are not escaped."},
    {"name": "environment", "in": "path", "required": True, "schema": {"type": "string"}},
]  # fmt: skip

_LOGINS = {
    "token": {"type": "http", "scheme": "bearer",
              "description": "Of `dppctl token create NAME --scope read`; it reads, and does nothing else here."},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE,
                "description": "Of a browser in which somebody has logged in."},
}  # fmt: skip


@cache
def description() -> str:
    """Return the description as JSON."""
    _, schemas = models_json_schema(
        [(shape, "serialization") for shape in _SHAPES], ref_template="#/components/schemas/{model}"
    )
    parameters = [
        {"name": name, "in": "query", "description": text, "schema": schema} for name, text, schema in _LIST_PARAMETERS
    ]
    identity = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
    csv = {"200": {"description": "A line for each run, and each pipeline and resource in it.",
                   "content": {"text/csv": {"schema": {"type": "string"}}}}}  # fmt: skip
    paths = {
        "/api/deployments": _get("List deployments, the newest first", DeploymentList, parameters, 400),
        "/api/deployments/{id}": _get("Get a deployment", DeploymentDetail, [identity], 404),
        "/api/environments": _get("List environments with what data is there", EnvironmentList, []),
        "/apps/{app}/{environment}/history.json": _get("Get the last runs", EnvironmentHistory, _PLACE, 404),
        "/apps/{app}/{environment}/history.csv": {
            "get": {"summary": "Get the last runs as CSV", "operationId": "historyCsv", "parameters": _PLACE,
                    "responses": csv | _problems(404)}
        },
    }  # fmt: skip
    info = {
        "title": "dppctl",
        "version": version("dppctl"),
        "description": "What data is in which environment, and what was deployed. Who may read the pages may read it.",
        "license": {"name": "MIT", "identifier": "MIT"},
    }
    components = {"schemas": schemas["$defs"], "securitySchemes": _LOGINS}
    # Any of them; none where the pages are everybody's.
    security: list[dict[str, list[str]]] = [{"token": []}, {"session": []}, {}]
    document = {"openapi": "3.1.0", "info": info, "security": security, "paths": paths, "components": components}
    return json.dumps(document, indent=1)


def _get(summary: str, shape: type[BaseModel], parameters: list[dict[str, Any]], *problems: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}
    answer = {"200": {"description": (shape.__doc__ or "").partition("\n")[0], "content": content}}
    name = shape.__name__[0].lower() + shape.__name__[1:]
    responses = answer | _problems(*problems)
    return {"get": {"summary": summary, "operationId": name, "parameters": parameters, "responses": responses}}


def _problems(*codes: int) -> dict[str, Any]:
    """Return the answers that say why there is no other: of these codes, and of any page where people log in."""
    words = {
        400: "A parameter cannot be.",
        401: "Only with a token that holds, or for who has logged in.",
        403: "Whose token or login it is may not read here.",
        404: "There is no such thing.",
        503: "The store or the login does not answer now.",
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    return {str(code): {"description": words[code], "content": content} for code in sorted({*codes, 401, 403, 503})}
