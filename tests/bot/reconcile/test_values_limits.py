"""A values file never becomes larger than what bot and sync read, and one that is holds up no other."""

import json

import pytest

from bot.limits import MAX_PIPELINE_ID, MAX_PIPELINES
from bot.store.tables import Deployment
from tests.support.forge import APP
from tests.support.receipts import data_of, resource
from tests.support.stories.bot import Story

pytestmark = pytest.mark.slow

VALUES = "environments/{}/values.auto-updated.yaml"


def spec(ids: list[str]) -> str:
    return json.dumps({name: {"pipeline": [{"run": "load_resource"}]} for name in ids}, ensure_ascii=False)


def error_of(deployment: Deployment) -> str:
    return deployment.error or ""


def test_as_many_pipelines_with_ids_as_long_as_they_may_be_are_deployed(story: Story) -> None:
    ids = [f"{number:04}" + "\U0001f600" * (MAX_PIPELINE_ID - 6) for number in range(MAX_PIPELINES)]
    commit = story.app.push({**APP, "pipeline-spec.yaml": spec(ids)})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert [pipeline.id for pipeline in story.values("staging").pipelines] == [f"./{name}" for name in ids]


def test_more_or_longer_ones_are_refused_with_the_number(story: Story) -> None:
    story.app.push({**APP, "pipeline-spec.yaml": spec([str(number) for number in range(MAX_PIPELINES + 1)])})
    story.reconcile()
    assert "more than 1,000 pipelines" in error_of(story.last())
    story.app.push({**APP, "pipeline-spec.yaml": spec(["x" * 900])})
    story.reconcile()
    assert "at most 200 characters with its folder, and this one 902" in error_of(story.last())
    story.app.push({**APP, "pipeline-spec.yaml": spec(["a\u202eb"])})
    story.reconcile()
    assert "control characters" in error_of(story.last())
    assert story.runs("staging") is None


def test_data_that_is_too_much_to_compare_with_is_refused_with_what_to_do(story: Story) -> None:
    entry = {"appRepoPath": "ann/app", "opsRepoPath": "ann/ops"}
    actions = [
        {"branch": "master", "environment": "staging"},
        {
            "branch": "live",
            "environment": "production",
            "expect": [{"columns": "keep", "comparedWith": "staging"}],
        },
    ]
    story.app.push({**APP, ".dppctl.yaml": json.dumps({"continuousDeployment": [{**entry, "actions": actions}]})})
    story.reconcile()
    columns = " ".join(f"column{number}" for number in range(100))
    story.report("succeeded", receipt=data_of(*(resource(f"table{number}", 1, columns) for number in range(50))))
    story.app.push({"file": "new"}, branch="live")
    story.reconcile()
    assert "values, and 20,000 are read at most; name fewer resources in those" in error_of(story.last())
    assert story.runs("production") is None


def test_a_file_that_is_too_large_to_be_read_holds_up_no_other_environment(story: Story) -> None:
    story.ops.push({VALUES.format("production"): "#" * 2_000_000})
    commit = story.app.push(APP)
    assert story.reconcile().failure is None
    assert story.runs("staging") == ("refs/heads/master", commit)
