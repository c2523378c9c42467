"""A Job's name says what it runs and how: so nothing runs twice, and nothing that should run does not."""

from pathlib import Path
from typing import Any

import pytest

from bot.model.values import Pipeline
from tests.support.charts.apps import DIGEST, EVERYTHING, SOURCE, bot_values
from tests.support.charts.rendering import Object, of_kind, render, template

pytestmark = pytest.mark.needs("helm")

OTHER_COMMIT = SOURCE.model_copy(update={"commit": "2" * 40, "ref": "refs/tags/v1"})


def job(folder: Path, *values: dict[str, Any], name: str = "app") -> Object:
    (found,) = of_kind(render(folder, *values, name=name), "Job")
    return found


def job_name(folder: Path, *values: dict[str, Any], name: str = "app") -> str:
    found: str = job(folder, *values, name=name)["metadata"]["name"]
    return found


def test_it_is_the_release_the_digest_and_the_settings(tmp_path: Path) -> None:
    name = job_name(tmp_path, bot_values())
    release, digest, settings = name.split("-")
    assert (release, digest) == ("app", DIGEST[:12])
    assert len(settings) == 8
    assert len(job_name(tmp_path, bot_values(), name="n" * 53)) == 63


def test_another_commit_of_the_same_image_is_the_same_job_byte_for_byte(tmp_path: Path) -> None:
    def text(**changed: Any) -> str:
        objects = template(tmp_path, EVERYTHING, bot_values(**changed)).stdout.split("\n---\n")
        (found,) = [one for one in objects if "\nkind: Job\n" in one]
        return found

    assert text() == text(source=OTHER_COMMIT)


def test_whatever_decides_how_it_runs_is_another_job(tmp_path: Path) -> None:
    names = [
        job_name(tmp_path, bot_values()),
        job_name(tmp_path, bot_values(image=f"registry.example/ann/app@sha256:{'d' * 64}")),
        job_name(tmp_path, bot_values(pipelines=(Pipeline(id="./load"),))),
        job_name(tmp_path, bot_values(request=7)),
        job_name(tmp_path, bot_values(request=8)),
        job_name(tmp_path, {"resources": {"limits": {"memory": "4Gi"}}}, bot_values()),
        job_name(tmp_path, {"env": [{"name": "YEAR", "value": "2026"}]}, bot_values()),
        job_name(tmp_path, {"database": {"enabled": True}}, bot_values()),
        job_name(tmp_path, {"worker": {"image": "registry.example/dppctl:2"}}, bot_values()),
    ]
    assert len(set(names)) == len(names)


def test_a_schedule_or_what_a_job_may_have_changed_is_the_same_job(tmp_path: Path) -> None:
    same = job_name(tmp_path, bot_values())
    unscheduled = (Pipeline(id="./load"), Pipeline(id="./data/tidy up"))
    assert job_name(tmp_path, bot_values(pipelines=unscheduled)) == same
    assert job_name(tmp_path, {"ttlSecondsAfterFinished": 60}, bot_values()) == same
    assert job_name(tmp_path, {"networkPolicy": {"enabled": False}}, bot_values()) == same


def test_pipelines_of_the_same_slug_have_their_own_cron_jobs(tmp_path: Path) -> None:
    ids = ("./a/b", "./a-b", "./A_B", "./é", "./" + "long" * 40)
    pipelines = tuple(Pipeline(id=one, schedule="0 6 * * *") for one in ids)
    crons = of_kind(render(tmp_path, bot_values(pipelines=pipelines)), "CronJob")
    assert [one["metadata"]["annotations"]["dppctl.io/pipeline"] for one in crons] == list(ids)
    assert len({one["metadata"]["name"] for one in crons}) == len(ids)


def test_without_pipelines_there_is_no_job(tmp_path: Path) -> None:
    kinds = {one["kind"] for one in render(tmp_path, bot_values(pipelines=()))}
    assert not kinds & {"Job", "CronJob"}
