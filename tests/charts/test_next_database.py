"""What runs of the chart dppctl-pipelines do with its own database, and what they check of their data."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bot.model.expectations import Expectation
from bot.model.values import Compared, ComparedResource
from bot.settings.variables import misspelt
from cluster.next_database.databases import DatabaseNames, database_of
from cluster.next_database.finish import ExpectationsFile
from cluster.sync.helm import pod_status
from tests.support.charts.apps import bot_values, pod_of
from tests.support.charts.rendering import Object, of_kind, render

pytestmark = pytest.mark.needs("helm")

DATABASE: dict[str, Any] = {"database": {"enabled": True}}
EXPECT = tuple(
    map(Expectation.model_validate, ({"minRows": 1_000_000, "line": 3}, {"notNull": ["id"], "resource": "num*"}))
)
COMPARED = Compared(environment="staging", resources=(ComparedResource(pipeline="./load", name="numbers", rows=5),))


def containers(one: Object) -> dict[str, Object]:
    """The containers of what makes a pod, in the order that they run in."""
    pod = pod_of(one)
    return {container["name"]: container for container in (*pod.get("initContainers", []), *pod["containers"])}


def runs(folder: Path, *values: dict[str, Any]) -> tuple[dict[str, Object], dict[str, Object]]:
    """The containers of the Job and of a run by the clock."""
    objects = render(folder, *values)
    return containers(of_kind(objects, "Job")[0]), containers(of_kind(objects, "CronJob")[0])


def test_pipelines_write_to_a_copy_that_is_taken_when_they_succeeded(tmp_path: Path) -> None:
    job, clock = runs(tmp_path, DATABASE, bot_values())
    assert list(job) == list(clock) == ["worker", "prepare", "begin", "copy", "pipelines", "finish"]
    assert pod_status.CONTAINER in job
    assert pod_status.FINISH in job
    assert "--scheduled" not in job["finish"]["args"]
    assert "--scheduled" in clock["finish"]["args"]
    keys = {
        name: {one["name"]: one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"] if _is_secret(one)}
        for name, container in job.items()
        if "env" in container
    }
    assert keys == {
        "prepare": {},
        "begin": {"DPP_DB_ENGINE": "DPP_DB_ENGINE"},
        "copy": {"PGPASSWORD": "password"},
        "pipelines": {"DPP_DB_ENGINE": "DPP_DB_ENGINE_NEXT", "DPPCTL_RUN_DATABASE": "DPP_DB_ENGINE_NEXT"},
        "finish": {"DPP_DB_ENGINE": "DPP_DB_ENGINE"},
    }
    given = [one["name"] for container in job.values() for one in container.get("env", ())]
    assert misspelt(given) == {}


def test_where_nothing_is_published_beside_a_job_may_go_back_and_runs_by_the_clock_never_do(tmp_path: Path) -> None:
    job, clock = runs(tmp_path, DATABASE, bot_values())
    published, _ = runs(tmp_path, DATABASE, {"storage": {"volume": {"enabled": True}}}, bot_values())
    kept = {name: "kept.json" in str(container) for name, container in job.items()}
    assert kept == {"worker": False, "prepare": False, "begin": True, "copy": True, "pipelines": True, "finish": True}
    for other in (clock, published):
        assert not any("--kept" in str(container) for container in other.values())
        assert "DPPCTL_RESTORES" not in str(other)


BUCKET = {"path": "b/data", "existingSecret": "bucket"}
READ = {**BUCKET, "url": "https://b.example.org/data"}
VOLUME = {"enabled": True}


@pytest.mark.parametrize(
    ("bucket", "volume", "site", "last", "to"),
    [
        (READ, None, False, ["finish", "rclone"], ["--to=storage:b/data"]),
        (None, VOLUME, True, ["finish"], ["--to=/storage"]),
        (READ, VOLUME, True, ["finish", "rclone"], ["--to=storage:b/data", "--to=/storage"]),
        # What is copied over what is there comes after the switch, as nothing of it can be taken back.
        (BUCKET, VOLUME, True, ["finish", "bucket"], ["--to=/storage"]),
        (BUCKET, None, False, ["finish", "bucket"], []),
        (READ, VOLUME, False, ["finish", "password", "bucket", "rclone", "volume"], []),
    ],
)
def test_files_become_current_with_the_database_where_they_are_published_as_releases(
    tmp_path: Path,
    bucket: dict[str, str] | None,
    volume: dict[str, bool] | None,
    site: bool,
    last: list[str],
    to: list[str],
) -> None:
    storage = {name: given for name, given in (("bucket", bucket), ("volume", volume)) if given}
    for run in runs(tmp_path, DATABASE, {"storage": storage, "site": {"enabled": site}}, bot_values()):
        names = list(run)
        after = names[names.index("pipelines") + 1 :]
        assert [name for name in after if name != "password" or "password" in last] == last
        finish = run["finish"]
        assert [given for given in finish["args"] if given.startswith("--to=")] == to
        mounts = {mount["name"] for mount in finish["volumeMounts"]}
        assert ("storage" in mounts, "rclone" in mounts) == ("--to=/storage" in to, "--to=storage:b/data" in to)
        assert "envFrom" not in finish  # the bucket's credentials are rclone's alone
        assert ("ports" in finish) == ("rclone" in mounts)


def test_that_a_job_is_only_to_go_back_is_told_beside_it_as_it_is_the_same_job(tmp_path: Path) -> None:
    wanted = {"global": {"dppctl": {"sync": True, "restores": True, "deployment": 1_234_567}}}
    plain, back = (render(tmp_path, *values, DATABASE, bot_values()) for values in ((), (wanted,)))
    assert of_kind(plain, "Job") == of_kind(back, "Job")
    (variable,) = [
        one for one in containers(of_kind(back, "Job")[0])["begin"]["env"] if one["name"] == "DPPCTL_RESTORES"
    ]
    origin = of_kind(back, "ConfigMap")[0]
    told = variable["valueFrom"]["configMapKeyRef"]
    assert (told["name"], origin["data"][told["key"]]) == (origin["metadata"]["name"], "yes")
    assert of_kind(plain, "ConfigMap")[0]["data"][told["key"]] == ""
    assert ExpectationsFile.model_validate_json(origin["data"]["expectations"]).deployment == 1_234_567


def _is_secret(variable: dict[str, Any]) -> bool:
    return "secretKeyRef" in variable.get("valueFrom", {})


@pytest.mark.parametrize("name", ["pipelines", "postgres", "n" * 63])
def test_the_databases_have_the_names_that_the_program_gives_them(tmp_path: Path, name: str) -> None:
    objects = render(tmp_path, {"database": {"enabled": True, "name": name}}, bot_values())
    (secret,) = of_kind(objects, "Secret")
    current, following = (
        base64.b64decode(secret["data"][key]).decode() for key in ("DPP_DB_ENGINE", "DPP_DB_ENGINE_NEXT")
    )
    names = DatabaseNames(name)
    assert (database_of(current), database_of(following)) == (names.current, names.next)
    copy = containers(of_kind(objects, "Job")[0])["copy"]
    given = {one["name"]: one.get("value") for one in copy["env"]}
    assert (given["PGDATABASE"], given["DPPCTL_NEXT"]) == (names.current, names.next)
    assert given["DPPCTL_BESIDE"] != name


def test_a_run_may_begin_with_nothing_but_not_one_by_the_clock(tmp_path: Path) -> None:
    job, clock = runs(tmp_path, {"database": {"enabled": True, "next": "empty"}}, bot_values())
    assert "copy" not in job
    assert "copy" in clock


def test_data_is_checked_without_a_database_too_and_only_where_something_is_expected(tmp_path: Path) -> None:
    plain, _ = runs(tmp_path, bot_values())
    assert list(plain) == ["worker", "prepare", "pipelines"]
    checked, clock = runs(tmp_path, bot_values(expect=EXPECT))
    assert list(checked) == list(clock) == ["worker", "prepare", "pipelines", "finish"]
    assert "DPP_DB_ENGINE" not in str(checked)
    volume = {"storage": {"volume": {"enabled": True}}}
    published, _ = runs(tmp_path, volume, bot_values(expect=EXPECT))
    assert list(published) == ["worker", "prepare", "pipelines", "finish", "volume"]


def test_what_is_expected_reaches_the_check_as_the_bot_wrote_it_and_starts_nothing_by_itself(tmp_path: Path) -> None:
    before = {"global": {"dppctl": {"before": COMPARED.model_dump(mode="json")}}}
    values = bot_values(expect=EXPECT, accept=True, compared=(COMPARED,))
    objects = render(tmp_path, before, values)
    (origin,) = of_kind(objects, "ConfigMap")
    found = ExpectationsFile.model_validate_json(origin["data"]["expectations"])
    assert found == ExpectationsFile(expect=EXPECT, accept=True, compared=(COMPARED,), before=COMPARED)
    volumes = {one["name"]: one for one in pod_of(of_kind(objects, "Job")[0])["volumes"]}
    assert volumes["expectations"]["configMap"]["name"] == origin["metadata"]["name"]
    others = render(tmp_path, bot_values(expect=EXPECT[:1]))
    assert of_kind(others, "Job") == of_kind(objects, "Job")
    empty = json.loads(of_kind(render(tmp_path, bot_values()), "ConfigMap")[0]["data"]["expectations"])
    assert ExpectationsFile.model_validate(empty) == ExpectationsFile()
