"""What is decided about an environment, as a function of what is there."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.names import RepoPath
from bot.model.registration import Target
from cluster.limits import DRIFT_CHECKS
from cluster.sync.helm.decide import Rules, decide, decide_action
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.state import (
    BUSY,
    Decision,
    DriftCheck,
    HelmRelease,
    Record,
    ReleaseAction,
    ReleasePhase,
    ReleaseState,
    SyncState,
)

PATIENCE = 100.0
WANTED = Desired("new", "c" * 40, "t" * 40, ("values.auto-updated.yaml",))

fingerprints = st.sampled_from(["new", "old", ""])
revisions = st.integers(0, 5)
records = st.none() | st.builds(
    Record, fingerprints, st.sampled_from(get_args(ReleasePhase)), revisions, revisions, st.booleans()
)
statuses = st.sampled_from(["deployed", "failed", *sorted(BUSY)])
releases = st.none() | st.builds(HelmRelease, st.integers(1, 5), statuses, fingerprints, st.floats(0, 1000))


def decided(
    record: Record | None, release: HelmRelease | None, *, wanted: Desired | None = WANTED, prune: bool = False
) -> ReleaseAction:
    return decide_action(wanted, record, release, prune=prune, patience=PATIENCE)


def deployed(revision: int = 3, fingerprint: str = "new") -> HelmRelease:
    return HelmRelease(revision, "deployed", fingerprint, 1000)


@pytest.mark.parametrize(
    ("record", "release", "action"),
    [
        # what is there is what is wanted, or not
        (None, None, ReleaseAction.DEPLOY),
        (Record("new", "succeeded", 3, 3), deployed(), ReleaseAction.NOTHING),
        (Record("old", "succeeded", 3, 3), deployed(fingerprint="old"), ReleaseAction.DEPLOY),
        (Record("new", "succeeded", 3, 3, reported=False), deployed(), ReleaseAction.REPORT),
        # the program was killed
        (Record("new", "deploying", 2, 2), deployed(), ReleaseAction.FOLLOW),
        (Record("new", "deploying", 3, 3), deployed(fingerprint="old"), ReleaseAction.DEPLOY),
        (Record("new", "deploying", 2, 2), HelmRelease(3, "pending-upgrade", "new", 1), ReleaseAction.DEPLOY),
        (Record("new", "deploying"), HelmRelease(1, "pending-install", "new", 1), ReleaseAction.DEPLOY),
        (Record("new", "running", 3, 2), deployed(), ReleaseAction.FOLLOW),
        (Record("new", "failing", 3, 2), deployed(), ReleaseAction.ROLL_BACK),
        (Record("new", "failing", 3, 2), HelmRelease(4, "pending-rollback", "old", 1), ReleaseAction.ROLL_BACK),
        # what failed is not tried again, whatever somebody does meanwhile
        (Record("new", "failed", 4, 4), deployed(4, "old"), ReleaseAction.NOTHING),
        (Record("new", "failed", 4, 4), deployed(5, "old"), ReleaseAction.NOTHING),
        (Record("new", "failed"), None, ReleaseAction.NOTHING),
        (Record("old", "failed", 4, 4), deployed(4, "old"), ReleaseAction.DEPLOY),
        # somebody did something by hand
        (Record("new", "succeeded", 3, 3), deployed(4), ReleaseAction.DEPLOY),
        (Record("new", "succeeded", 3, 3), None, ReleaseAction.DEPLOY),
        (Record("new", "running", 3, 2), deployed(4), ReleaseAction.DEPLOY),
        (None, deployed(), ReleaseAction.FOLLOW),
        (None, deployed(fingerprint=""), ReleaseAction.DEPLOY),
        # somebody is doing something by hand
        (Record("new", "succeeded", 3, 3), HelmRelease(4, "pending-upgrade", "new", 1), ReleaseAction.WAIT),
        (
            Record("new", "succeeded", 3, 3),
            HelmRelease(4, "pending-upgrade", "new", PATIENCE + 1),
            ReleaseAction.DEPLOY,
        ),
        # it is wanted again
        (Record("new", "removed", 3, 3), deployed(), ReleaseAction.DEPLOY),
    ],
)
def test_what_is_done(record: Record | None, release: HelmRelease | None, action: ReleaseAction) -> None:
    assert decided(record, release) is action


def test_what_is_no_longer_wanted_is_told_once_and_uninstalled_only_when_that_is_allowed() -> None:
    was = Record("old", "succeeded", 3, 3)
    assert decided(was, deployed(), wanted=None) is ReleaseAction.TELL_REMOVED
    assert decided(was.with_("removed"), deployed(), wanted=None) is ReleaseAction.NOTHING
    assert decided(was.with_("removed"), deployed(), wanted=None, prune=True) is ReleaseAction.PRUNE


@given(records, releases, st.booleans())
def test_a_release_that_sync_did_not_make_is_never_uninstalled(
    record: Record | None, release: HelmRelease | None, prune: bool
) -> None:
    assert decided(None, release, wanted=None, prune=prune) is ReleaseAction.NOTHING
    assert decided(record, release, prune=prune) not in (ReleaseAction.PRUNE, ReleaseAction.TELL_REMOVED)


@given(records, releases)
def test_nothing_is_left_to_do_only_where_the_end_is_known_and_told(
    record: Record | None, release: HelmRelease | None
) -> None:
    if decided(record, release) is ReleaseAction.NOTHING:
        assert record
        assert record.reported
        assert record.fingerprint == "new"
        assert record.phase in ("succeeded", "failed")


@given(records, releases)
def test_another_fingerprint_is_deployed_unless_somebodys_helm_is_at_work(
    record: Record | None, release: HelmRelease | None
) -> None:
    if record and record.fingerprint != "new":
        assert decided(record, release) in (ReleaseAction.DEPLOY, ReleaseAction.WAIT)


@given(records, releases)
def test_nobody_is_waited_for_longer_than_patience(record: Record | None, release: HelmRelease | None) -> None:
    if decided(record, release) is ReleaseAction.WAIT:
        assert release
        assert release.status in BUSY
        assert release.age < PATIENCE


STAGING = ReleaseTarget(Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging"), "namespace", "app-1a2b3c")
NEWER = Desired("newer", "d" * 40, "t" * 40, ("values.auto-updated.yaml",))
GOOD = ReleaseState(STAGING, True, WANTED, Record("new", "succeeded", 3, 3), deployed())
STALE = replace(GOOD, desired=NEWER)


def actions(*environments: ReleaseState, rules: Rules = Rules(), uptime: float = 0.0) -> list[ReleaseAction]:  # noqa: B008
    state = SyncState(environments, (), 0, uptime, now=1000.0)
    return [decision.action for decision in decide(state, rules)]


def test_a_pass_starts_what_is_to_be_done_and_leaves_alone_what_is_not_known_or_waits() -> None:
    assert actions(GOOD, STALE) == [ReleaseAction.DEPLOY]
    assert actions(replace(STALE, is_known=False), replace(STALE, waits=True)) == []


def test_a_job_is_superseded_by_another_fingerprint_only() -> None:
    running = Decision(ReleaseAction.DEPLOY, replace(GOOD, record=None))
    assert actions(replace(GOOD, running=running)) == []
    assert actions(replace(GOOD, desired=replace(WANTED, ops_head="e" * 40), running=running)) == []
    assert actions(replace(STALE, running=running)) == [ReleaseAction.SUPERSEDE]
    assert actions(replace(GOOD, desired=None, running=running)) == []  # removed: when it has ended


def test_drift_is_looked_for_now_and_then_and_in_few_environments_at_a_time() -> None:
    rules = Rules(drift_seconds=300.0)
    assert actions(GOOD, rules=rules, uptime=299.0) == []
    assert actions(GOOD, rules=rules, uptime=301.0) == [ReleaseAction.CHECK]
    checked = replace(GOOD, check=DriftCheck(800.0, ()))
    assert actions(checked, rules=rules, uptime=900.0) == []
    assert actions(replace(checked, check=DriftCheck(600.0, ())), rules=rules, uptime=900.0) == [ReleaseAction.CHECK]
    assert actions(GOOD, rules=Rules(drift_seconds=None), uptime=900.0) == []
    failed = replace(GOOD, record=Record("new", "failed", 3, 3))
    assert actions(failed, rules=rules, uptime=900.0) == []
    many = [GOOD] * (DRIFT_CHECKS + 2)
    assert actions(*many, rules=rules, uptime=900.0) == [ReleaseAction.CHECK] * DRIFT_CHECKS
    busy = replace(GOOD, running=Decision(ReleaseAction.CHECK, GOOD))
    assert actions(busy, *many, rules=rules, uptime=900.0) == [ReleaseAction.CHECK] * (DRIFT_CHECKS - 1)
