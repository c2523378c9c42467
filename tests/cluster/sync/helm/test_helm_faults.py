"""What fails while helm works, and passes: only what is said of the object itself ends a deployment."""

import pytest

from cluster.sync.helm.helm import HelmAwayError, HelmError, HelmRefusedError, HelmUnclearError, _kind
from tests.support.faulty_api import BROKEN, FaultyApi
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually

CONFIGMAPS, RELEASES = r"/configmaps.*-text|/configmaps\?", r"/secrets(\?|/sh\.helm|$)"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.sync.helm.release_changes.HELM_TRY_SECONDS", (0.1, 0.2, 0.4))


@pytest.mark.parametrize(
    ("path", "kinds"), [(CONFIGMAPS, (409, 403)), (RELEASES, (429, BROKEN))], ids=["objects", "releases"]
)
def test_what_fails_for_a_moment_while_helm_works_fails_no_deployment(
    shaky: Cluster, faulty: FaultyApi, path: str, kinds: tuple[int | str, ...]
) -> None:
    shaky.say(pipelines=(), people={"text": "first"})
    assert shaky.sync.sync()
    for kind in kinds:
        shaky.people_say({"text": f"text {kind}"})
        with faulty.failing("PATCH PUT POST", path, kind, times=2) as fault:
            eventually(shaky.start().sync, f"after {kind} it is deployed", 90)
        assert fault.hits, kind
        assert shaky.text() == f"text {kind}"
        record = (shaky.kept() or pytest.fail("there is no record")).record
        assert (record.phase, record.revision) == ("succeeded", record.good)
    assert "failed" not in shaky.phases()


def test_what_fails_at_each_try_ends_the_deployment_with_helms_words(shaky: Cluster, faulty: FaultyApi) -> None:
    shaky.say(pipelines=(), people={"text": "first"})
    assert shaky.sync.sync()
    shaky.people_say({"text": "second"})
    with faulty.failing("PATCH PUT", r"/configmaps/.*-text", 409) as fault:
        assert not shaky.start().sync()
    assert fault.hits > 4
    assert shaky.phases()[-1] == "failed"
    assert "a passing 409" in shaky.last().message
    assert "It could not be rolled back" in shaky.last().message
    assert [event for event in shaky.events if "tried again in" in event.message]
    assert shaky.text() == "first"


def test_a_rollback_that_fails_for_a_moment_is_made_all_the_same(shaky: Cluster, faulty: FaultyApi) -> None:
    shaky.say("one", people={"text": "first"})
    with shaky.running():
        shaky.until("running")
        shaky.job_ends(receipt())
        shaky.until("succeeded")
        shaky.people_say({"text": "second"})
        shaky.say("two")
        eventually(lambda: shaky.text() == "second", "it is there")
        shaky.until("running", image="two")
        with faulty.failing("PATCH PUT", r"/configmaps/.*-text", 409, times=2) as fault:
            shaky.job_ends(receipt("failed", error="the reason"))
            shaky.until("failed")
        assert fault.hits
        assert shaky.text() == "first"
        assert "could not be rolled back" not in shaky.last().message


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('Get "https://10.0.0.1/api": context deadline exceeded', HelmAwayError),
        ("the server has received too many requests and has asked us to try again later", HelmAwayError),
        ('secrets is forbidden: User "system:serviceaccount:a:b" cannot list resource', HelmRefusedError),
        ("Unauthorized", HelmRefusedError),
        ('Deployment.apps "a" is invalid: spec.replicas: Invalid value: -1', HelmError),
        ("execution error at (a/templates/b.yaml:1:2): image is not set", HelmError),
        ("values don't meet the specifications of the schema(s)", HelmError),
        ('admission webhook "a" denied the request: no', HelmError),
        ("resource Deployment/a/b not ready. status: InProgress", HelmError),
        ('Operation cannot be fulfilled on deployments.apps "a": the object has been modified', HelmUnclearError),
        ("Internal error occurred: failed calling webhook", HelmUnclearError),
        ("something new", HelmUnclearError),
    ],
)
def test_what_helm_says_tells_whether_another_try_helps(message: str, kind: type[Exception]) -> None:
    assert _kind(f"helm upgrade: UPGRADE FAILED: {message}") is kind
