"""Which pools are made for images and removed. Pure."""

from dataclasses import replace

import pytest

from bot.model.names import RepoPath
from bot.model.registration import Target
from cluster.operator.decide import WriteStatus
from cluster.operator.model import Phase, Reason, RunSpec
from cluster.operator.pool_names import pool_of_environment, pool_of_image
from cluster.operator.pools import DeployPool, PoolPolicy, PoolWork, RemovePool, decide_pools
from cluster.operator.state import DATABASE, OperatorState, Pool, PoolPod, RunState, read_pod
from cluster.sync.helm.desired import release_name

IMAGES = [f"ghcr.io/ann/app:{number}" for number in range(3)]
NAMES = [pool_of_image(image) for image in IMAGES]
POLICY = PoolPolicy(most=2, images=("ghcr.io/ann/",), idle_seconds=100)
NOW = 10_000.0


def run(number: int, image: str, phase: Phase = Phase.PENDING, finished: float | None = None) -> RunState:
    spec = RunSpec.model_validate(
        {"pipelines": ["all"], "workload": {"sha256": "0" * 64, "bytes": 0}, "image": image, "pool": "default"}
    )
    return RunState(f"run-{number}", f"uid-{number}", NOW - 10 + number, spec, phase=phase, finished=finished)


def pool(number: int, created: float = NOW) -> Pool:
    return Pool(NAMES[number], 1, 10, on_demand=True, created=created)


def seen(*runs: RunState, pools: tuple[Pool, ...] = (), **more: object) -> OperatorState:
    return replace(OperatorState(runs, (), pools, NOW), **more)


def test_a_run_that_names_an_image_is_of_the_pool_of_that_image() -> None:
    first = run(1, IMAGES[0]).spec
    assert first
    assert first.pool == NAMES[0]
    assert len(set(NAMES)) == 3
    assert all(len(name) <= 40 for name in NAMES)


def test_a_pool_that_is_not_there_is_made_once_and_the_oldest_run_comes_first() -> None:
    state = seen(run(3, IMAGES[2]), run(1, IMAGES[0]), run(2, IMAGES[0]))
    assert decide_pools(state, POLICY) == [DeployPool(NAMES[0], IMAGES[0]), DeployPool(NAMES[2], IMAGES[2])]
    work = PoolWork(changing=frozenset({NAMES[0]}))
    assert decide_pools(state, POLICY, work) == [DeployPool(NAMES[2], IMAGES[2])]
    assert decide_pools(replace(state, pools=(pool(0), pool(2))), POLICY) == []


def test_no_more_pools_are_made_than_may_be_and_an_idle_one_makes_room() -> None:
    busy = (run(1, IMAGES[0], Phase.RUNNING), run(2, IMAGES[1], Phase.RUNNING), run(3, IMAGES[2]))
    assert decide_pools(seen(*busy, pools=(pool(0), pool(1))), POLICY) == []
    one_idle = (replace(busy[0], phase=Phase.SUCCEEDED, finished=NOW - 5), *busy[1:])
    assert decide_pools(seen(*one_idle, pools=(pool(0), pool(1))), POLICY) == [RemovePool(NAMES[0])]


def test_a_pool_is_removed_when_it_was_idle_for_long_and_others_stay() -> None:
    own = Pool("default", 1, 10, created=0.0)
    old = pool(0, created=NOW - 500)
    ended = run(1, IMAGES[0], Phase.SUCCEEDED, finished=NOW - 50)
    assert decide_pools(seen(ended, pools=(own, old)), POLICY) == []
    assert decide_pools(seen(replace(ended, finished=NOW - 101), pools=(own, old)), POLICY) == [RemovePool(NAMES[0])]
    assert decide_pools(seen(run(2, IMAGES[0], Phase.RUNNING), pools=(old,)), POLICY) == []
    changing = PoolWork(changing=frozenset({NAMES[0]}))
    assert decide_pools(seen(pools=(old,)), POLICY, changing) == []


@pytest.mark.parametrize(
    ("image", "policy", "words"),
    [
        (IMAGES[0], PoolPolicy(), "this cluster makes no pools for images; leave out the image, or name a pool"),
        ("docker.io/x:1", POLICY, "image docker.io/x:1 is not allowed on this cluster; what an image may begin with: "),
        (IMAGES[0], PoolPolicy(most=1), "what an image may begin with: none"),
    ],
)
def test_what_is_not_allowed_fails_at_once_and_says_what_is(image: str, policy: PoolPolicy, words: str) -> None:
    (told,) = decide_pools(seen(run(1, image)), policy)
    assert isinstance(told, WriteStatus)
    assert (told.phase, told.reason) == (Phase.FAILED, Reason.POOL_FAILED)
    assert words in told.message


def test_runs_hear_why_their_pool_cannot_be_made_or_no_worker_starts() -> None:
    (told,) = decide_pools(seen(run(1, IMAGES[0])), POLICY, PoolWork(failed={NAMES[0]: "exceeded quota"}))
    assert isinstance(told, WriteStatus)
    assert told.message == "exceeded quota"
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    status = {"containerStatuses": [{"name": "worker", "state": {"waiting": waiting}}]}
    labels = {"dppctl.io/pool": NAMES[0], "dppctl.io/state": "available"}
    about = {"name": "a", "uid": "a", "labels": labels, "creationTimestamp": "1970-01-01T02:46:10Z"}
    pod = read_pod({"metadata": about, "status": status})
    state = seen(run(1, IMAGES[0]), pools=(pool(0),), pods=(pod,))
    removal, told = decide_pools(state, POLICY)
    assert removal == RemovePool(NAMES[0])
    assert isinstance(told, WriteStatus)
    assert told.message == "no worker starts from its image: container worker: ImagePullBackOff: no such image"
    assert decide_pools(replace(state, now=pod.started + 1), POLICY) == []
    database = PoolPod("db", "db", NAMES[0], "available", DATABASE, is_ready=True)
    assert RemovePool(NAMES[0]) in decide_pools(replace(state, pods=(pod, database)), POLICY)
    refused = replace(pool(0), created=NOW - 50, problem="exceeded quota: runs")
    removal, told = decide_pools(replace(state, pools=(refused,), pods=()), POLICY)
    assert isinstance(told, WriteStatus)
    assert told.message == "no worker of its image is made: exceeded quota: runs"


def test_an_environments_pool_is_called_as_its_release() -> None:
    app, ops = RepoPath.parse("ann/data/tables"), RepoPath.parse("ann/ops")
    assert pool_of_environment(app, "staging") == release_name(Target(app, ops, "staging"))
    assert pool_of_environment(app, "staging") != pool_of_environment(app, "production")
