"""What sync itself writes down in the cluster: a ConfigMap for each release, whose annotations are the record."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from bot.data.compared import compared_of
from bot.kubernetes import KubernetesClient, NotThereError, Object
from bot.model.receipt import Receipt
from bot.model.values import Compared
from cluster.limits import MAX_BASELINE_BYTES, MAX_OUTCOME_BYTES
from cluster.sync.helm.desired import ReleaseTarget
from cluster.sync.helm.state import Record, ReleasePhase
from cluster.sync.outcome import Outcome

OWNER = "dppctl-sync"
_SELECTOR = f"app.kubernetes.io/managed-by={OWNER}"
_PREFIX = "dppctl.io/"


@dataclass(frozen=True)
class OwnedRecord:
    """A record, and whose it is."""

    record: Record
    app: str
    environment: str


def records(api: KubernetesClient, namespace: str) -> dict[str, OwnedRecord]:
    """Return all records of a namespace, by release. Raises ApiError and ApiAwayError."""
    found = {}
    for entry in api.list(_path(namespace), _SELECTOR, metadata=True):
        notes = entry["metadata"].get("annotations") or {}
        if kept := _read(notes):
            found[entry["metadata"]["name"].removeprefix("dppctl-")] = kept
    return found


def outcome(api: KubernetesClient, location: ReleaseTarget) -> Outcome | None:
    """Return how the last deployment ended, as it was written down; None: that is not known."""
    found = api.get(_path(location.namespace, location.release))
    text = ((found or {}).get("data") or {}).get("outcome")
    with suppress(ValidationError):  # by hand, or by another version: then there is nothing to report
        return Outcome.model_validate_json(text) if text else None
    return None


def baseline(api: KubernetesClient, location: ReleaseTarget) -> Compared | None:
    """Return what the environment's data was, by the last deployment that succeeded; None: that is not known."""
    found = api.get(_path(location.namespace, location.release))
    text = ((found or {}).get("data") or {}).get("baseline")
    with suppress(ValidationError):  # as above
        return Compared.model_validate_json(text) if text else None
    return None


def write(api: KubernetesClient, location: ReleaseTarget, record: Record, outcome: Outcome | None = None) -> None:
    """Write the record; the outcome stays as it is without a new one. Raises ApiError and ApiAwayError."""
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"dppctl-{location.release}",
            "labels": {"app.kubernetes.io/managed-by": OWNER, "app.kubernetes.io/instance": location.release},
            "annotations": {f"{_PREFIX}{name}": text for name, text in _texts(location, record).items()},
        },
    }
    if outcome:
        body["data"] = {"outcome": _text(outcome)}
        if outcome.phase == "succeeded" and outcome.receipt:
            text = _baseline(outcome, outcome.receipt, location).model_dump_json()
            body["data"]["baseline"] = text if len(text.encode()) < MAX_BASELINE_BYTES else ""
    try:
        api.patch(_path(location.namespace, location.release), body)
    except NotThereError:
        api.create(_path(location.namespace), body)


def forget(api: KubernetesClient, location: ReleaseTarget) -> None:
    """Delete the record."""
    api.delete(_path(location.namespace, location.release))


def _texts(location: ReleaseTarget, record: Record) -> dict[str, str]:
    return {
        "app": str(location.target.app),
        "environment": location.target.environment,
        "fingerprint": record.fingerprint,
        "phase": record.phase,
        "revision": str(record.revision),
        "good": str(record.good),
        "reported": str(record.reported).lower(),
        "told": record.reported_log,
        "job": record.job,
    }


def _read(notes: Object) -> OwnedRecord | None:
    """Return None for what somebody broke by hand: then there is no record, and it is written anew."""
    text = {name: str(notes.get(f"{_PREFIX}{name}", "")) for name in ("fingerprint", "phase", "revision", "good")}
    phase: Any = text["phase"]
    if phase not in get_args(ReleasePhase) or not text["revision"].isdecimal() or not text["good"].isdecimal():
        return None
    reported = notes.get(f"{_PREFIX}reported") == "true"
    reported_log = str(notes.get(f"{_PREFIX}told", ""))
    job = str(notes.get(f"{_PREFIX}job", ""))
    record = Record(text["fingerprint"], phase, int(text["revision"]), int(text["good"]), reported, job, reported_log)
    return OwnedRecord(record, str(notes.get(f"{_PREFIX}app", "")), str(notes.get(f"{_PREFIX}environment", "")))


def _baseline(outcome: Outcome, receipt: Receipt, location: ReleaseTarget) -> Compared:
    return compared_of(receipt, location.target.environment, outcome.deployment)


def _text(outcome: Outcome) -> str:
    text = outcome.model_dump_json()
    return (
        text
        if len(text.encode()) < MAX_OUTCOME_BYTES
        else outcome.model_copy(update={"receipt": None}).model_dump_json()
    )


def _path(namespace: str, release: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/dppctl-{release}" if release else "")
