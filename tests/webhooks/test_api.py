"""The API: each answer is of the shape that /api/openapi.json says."""

import csv
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator, FormatChecker

from bot.model.account import SESSION_COOKIE
from bot.model.reports import SyncEvent
from tests.support.pages import APP, RECEIPT, PagesWorld, deploy, make_world
from tests.support.served_pages import serve_pages
from webhooks.openapi import description

HISTORY = f"/apps/{APP}/staging/history"


@pytest.fixture
def world(tmp_path: Path) -> PagesWorld:
    return make_world(tmp_path)


def described(world: PagesWorld) -> dict[str, Any]:
    found: dict[str, Any] = world.client().get("/api/openapi.json").get_json()
    return found


@cache
def validator(reference: str) -> Draft202012Validator:
    """Return what checks an answer; OpenAPI 3.1 has the JSON Schema of 2020-12."""
    document = json.loads(description())
    schema = {"$ref": reference, "components": document["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def ask(world: PagesWorld, url: str, path: str, code: int = 200) -> Any:
    """Ask, and check the answer against what the description says of that path and code."""
    answer = world.client().get(url)
    assert answer.status_code == code, answer.get_data(as_text=True)
    responses = described(world)["paths"][path]["get"]["responses"]
    schema = responses[str(code)]["content"]["application/json"]["schema"]
    validator(schema["$ref"]).validate(answer.get_json())
    return answer.get_json()


def schedule(world: PagesWorld, rows: int, at: str, status: str = "succeeded") -> None:
    """Report a run by the clock of what the second deployment left."""
    pipeline = {"id": "=one", "status": status, "rows": rows, "bytes": 7, "seconds": 2.5,
                "resources": [{"name": "zones", "rows": rows}]}  # fmt: skip
    receipt = {**RECEIPT, "status": status, "pipelines": [pipeline], "started": at, "ended": at}
    event = {"ops_commit": "27" * 20, "app": APP, "environment": "staging", "ref": "refs/tags/v2", "commit": "2" * 40,
             "phase": "scheduled", "time": at, "message": "ran", "receipt": receipt}  # fmt: skip
    world.store.deployments.report(SyncEvent.model_validate(event))


def test_deployments_are_listed_filtered_and_in_pages(world: PagesWorld) -> None:
    deploy(world.store, 3, environment="production", state="failed")
    everything = ask(world, "/api/deployments", "/api/deployments")
    assert [found["id"] for found in everything["deployments"]] == [3, 2, 1]
    assert (everything["page"], everything["total"], everything["next"]) == (1, 3, None)
    assert everything["deployments"][1]["rows"] == 984
    assert (everything["deployments"][0]["rows"], everything["deployments"][0]["error"]) == (None, "./one: it broke")
    failed = ask(world, f"/api/deployments?app={APP}&state=failed", "/api/deployments")
    assert [found["id"] for found in failed["deployments"]] == [3]
    seen, url = [], "/api/deployments?size=1"
    while url:
        page = ask(world, url, "/api/deployments")
        seen += [found["id"] for found in page["deployments"]]
        url = page["next"]
    assert seen == [3, 2, 1]
    for wrong in ("size=0", "size=201", "page=x", "state=excellent"):
        ask(world, f"/api/deployments?{wrong}", "/api/deployments", 400)


def test_a_deployment_has_what_happened_and_what_came_out(world: PagesWorld) -> None:
    found = ask(world, "/api/deployments/2", "/api/deployments/{id}")
    assert [step["phase"] for step in found["steps"]] == ["committed", "succeeded"]
    assert found["receipt"]["pipelines"][0]["rows"] == 984
    assert found["change"]["summary"] == found["summary"]
    assert found["url"] == "/deployments/2"
    for unknown in (99, 2**40):
        ask(world, f"/api/deployments/{unknown}", "/api/deployments/{id}", 404)


def test_environments_have_what_runs_and_who_holds_them(world: PagesWorld) -> None:
    world.store.holds.set(APP, "staging", "elections", by="token:ann", login="ann")
    deploy(world.store, 3, state="failed")
    staging, production = ask(world, "/api/environments", "/api/environments")["environments"]
    assert (staging["running"]["id"], staging["newest"]["id"], staging["hold"]["by"]) == (2, 3, "ann")
    assert (production["environment"], production["running"], production["hold"]) == ("production", None, None)
    world.store.holds.release(APP, "staging")
    assert ask(world, "/api/environments", "/api/environments")["environments"][0]["hold"] is None
    assert world.client().get(staging["history"]).status_code == 200
    assert world.client().get(staging["url"]).status_code == 200


def test_the_history_has_all_runs_by_the_clock_too(world: PagesWorld) -> None:
    schedule(world, 990, "2026-01-02T00:00:00Z")
    schedule(world, 5, "2026-01-03T00:00:00Z", "failed")
    path = "/apps/{app}/{environment}/history.json"
    history = ask(world, f"{HISTORY}.json", path)
    assert [(run["is_scheduled"], run["status"]) for run in history["runs"]][:2] == [
        (True, "failed"),
        (True, "succeeded"),
    ]
    (zones,) = [found for found in history["series"] if found["resource"] == "zones"]
    assert [point["rows"] for point in zones["points"]] == [990, 5]
    ask(world, "/apps/ann/app/elsewhere/history.json", path, 404)


def test_the_history_is_a_csv_that_no_spreadsheet_computes(world: PagesWorld) -> None:
    schedule(world, 990, "2026-01-02T00:00:00Z")
    answer = world.client().get(f"{HISTORY}.csv")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    lines = [*csv.DictReader(io.StringIO(answer.get_data(as_text=True)))]
    assert lines[0] == {
        "ended": "2026-01-02T00:00:00+00:00", "deployment": "2", "scheduled": "yes", "pipeline": "'=one",
        "resource": "", "status": "succeeded", "rows": "990", "bytes": "7", "seconds": "2.5",
    }  # fmt: skip
    assert (lines[1]["resource"], lines[1]["rows"], lines[1]["bytes"]) == ("zones", "990", "")
    assert [line["pipeline"] for line in lines[2:]] == ["./one"]
    assert world.client().get("/apps/ann/app/elsewhere/history.csv").status_code == 404


def test_the_description_names_each_path_that_there_is(world: PagesWorld) -> None:
    document = described(world)
    assert document["openapi"] == "3.1.0"
    rules = {str(rule) for rule in world.app.url_map.iter_rules()}
    served = {rule for rule in rules if rule.startswith("/api/") or "/history." in rule} - {"/api/openapi.json"}
    plain = {
        rule.replace("<int:identity>", "{id}").replace("<path:", "{").replace("<", "{").replace(">", "}")
        for rule in served
    }
    assert plain == set(document["paths"])


def test_where_the_pages_want_a_login_programs_read_with_a_token(tmp_path: Path) -> None:
    with serve_pages(tmp_path, AUTH_MODE="token", PAGES="login") as pages:
        token = {"Authorization": f"Bearer {pages.token}"}
        history = f"/apps/{APP}/staging/history.json"
        for path in ("/api/deployments", "/api/environments", "/api/openapi.json", history, history[:-5] + ".csv"):
            for headers in ({}, {"Authorization": "Bearer dppctl_wrong"}, {"Authorization": "Bearer "}):
                answer = requests.get(pages.url + path, headers=headers, timeout=60)
                assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, "Bearer"), path
                assert "dppctl token create NAME --scope read" in answer.json()["error"]
            assert requests.get(pages.url + path, headers=token, timeout=60).status_code == 200, path
        # It reads, and nothing else: pages for people, forms and acts want a session, and it is none.
        for method, path in (("GET", "/"), ("GET", "/events"), ("GET", "/data/"), ("POST", "/acts/hold")):
            answer = requests.request(method, pages.url + path, headers=token, timeout=60, allow_redirects=False)
            assert answer.status_code in (303, 401), path
        cookie = {"Cookie": f"{SESSION_COOKIE}={pages.token}"}
        assert requests.get(f"{pages.url}/api/deployments", headers=cookie, timeout=60).status_code == 401
        scope = requests.get(
            f"{pages.url}/api/deployments", headers={"Authorization": f"Bearer {pages.robot}"}, timeout=60
        )
        assert (scope.status_code, scope.json()) == (403, {"error": "robot may not read here (scope read)"})
