"""What is decided about an environment, as a function of what is there."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.sync.helm.decide import BUSY, Action, Record, Release, ReleasePhase, decide
from cluster.sync.helm.desired import Desired

PATIENCE = 100.0
WANTED = Desired("new", "c" * 40, "t" * 40, ("values.auto-updated.yaml",))

fingerprints = st.sampled_from(["new", "old", ""])
revisions = st.integers(0, 5)
records = st.none() | st.builds(
    Record, fingerprints, st.sampled_from(get_args(ReleasePhase)), revisions, revisions, st.booleans()
)
statuses = st.sampled_from(["deployed", "failed", *sorted(BUSY)])
releases = st.none() | st.builds(Release, st.integers(1, 5), statuses, fingerprints, st.floats(0, 1000))


def decided(
    record: Record | None, release: Release | None, *, wanted: Desired | None = WANTED, prune: bool = False
) -> Action:
    return decide(wanted, record, release, prune=prune, patience=PATIENCE)


def deployed(revision: int = 3, fingerprint: str = "new") -> Release:
    return Release(revision, "deployed", fingerprint, 1000)


@pytest.mark.parametrize(
    ("record", "release", "action"),
    [
        # what is there is what is wanted, or not
        (None, None, Action.DEPLOY),
        (Record("new", "succeeded", 3, 3), deployed(), Action.NOTHING),
        (Record("old", "succeeded", 3, 3), deployed(fingerprint="old"), Action.DEPLOY),
        (Record("new", "succeeded", 3, 3, reported=False), deployed(), Action.REPORT),
        # the program was killed
        (Record("new", "deploying", 2, 2), deployed(), Action.FOLLOW),
        (Record("new", "deploying", 3, 3), deployed(fingerprint="old"), Action.DEPLOY),
        (Record("new", "deploying", 2, 2), Release(3, "pending-upgrade", "new", 1), Action.DEPLOY),
        (Record("new", "deploying"), Release(1, "pending-install", "new", 1), Action.DEPLOY),
        (Record("new", "running", 3, 2), deployed(), Action.FOLLOW),
        (Record("new", "failing", 3, 2), deployed(), Action.ROLL_BACK),
        (Record("new", "failing", 3, 2), Release(4, "pending-rollback", "old", 1), Action.ROLL_BACK),
        # what failed is not tried again, whatever somebody does meanwhile
        (Record("new", "failed", 4, 4), deployed(4, "old"), Action.NOTHING),
        (Record("new", "failed", 4, 4), deployed(5, "old"), Action.NOTHING),
        (Record("new", "failed"), None, Action.NOTHING),
        (Record("old", "failed", 4, 4), deployed(4, "old"), Action.DEPLOY),
        # somebody did something by hand
        (Record("new", "succeeded", 3, 3), deployed(4), Action.DEPLOY),
        (Record("new", "succeeded", 3, 3), None, Action.DEPLOY),
        (Record("new", "running", 3, 2), deployed(4), Action.DEPLOY),
        (None, deployed(), Action.FOLLOW),
        (None, deployed(fingerprint=""), Action.DEPLOY),
        # somebody is doing something by hand
        (Record("new", "succeeded", 3, 3), Release(4, "pending-upgrade", "new", 1), Action.WAIT),
        (Record("new", "succeeded", 3, 3), Release(4, "pending-upgrade", "new", PATIENCE + 1), Action.DEPLOY),
        # it is wanted again
        (Record("new", "removed", 3, 3), deployed(), Action.DEPLOY),
    ],
)
def test_what_is_done(record: Record | None, release: Release | None, action: Action) -> None:
    assert decided(record, release) is action


def test_what_is_no_longer_wanted_is_told_once_and_uninstalled_only_when_that_is_allowed() -> None:
    was = Record("old", "succeeded", 3, 3)
    assert decided(was, deployed(), wanted=None) is Action.TELL_REMOVED
    assert decided(was.with_("removed"), deployed(), wanted=None) is Action.NOTHING
    assert decided(was.with_("removed"), deployed(), wanted=None, prune=True) is Action.PRUNE


@given(records, releases, st.booleans())
def test_a_release_that_sync_did_not_make_is_never_uninstalled(
    record: Record | None, release: Release | None, prune: bool
) -> None:
    assert decided(None, release, wanted=None, prune=prune) is Action.NOTHING
    assert decided(record, release, prune=prune) not in (Action.PRUNE, Action.TELL_REMOVED)


@given(records, releases)
def test_nothing_is_left_to_do_only_where_the_end_is_known_and_told(
    record: Record | None, release: Release | None
) -> None:
    if decided(record, release) is Action.NOTHING:
        assert record
        assert record.reported
        assert record.fingerprint == "new"
        assert record.phase in ("succeeded", "failed")


@given(records, releases)
def test_another_fingerprint_is_deployed_unless_somebodys_helm_is_at_work(
    record: Record | None, release: Release | None
) -> None:
    if record and record.fingerprint != "new":
        assert decided(record, release) in (Action.DEPLOY, Action.WAIT)


@given(records, releases)
def test_nobody_is_waited_for_longer_than_patience(record: Record | None, release: Release | None) -> None:
    if decided(record, release) is Action.WAIT:
        assert release
        assert release.status in BUSY
        assert release.age < PATIENCE
