"""Manifests: the objects of a release, compared. Pure.

The diff is for people's eyes, so what a Secret holds is masked in it; that it changed is still seen.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bot.model.next_runs import PipelineSchedule
from bot.model.safe_yaml import read_yaml

Object = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace as written, name

_SCHEDULES = "dppctl.io/schedules"
JOB_COMPONENT = "job"
# What the API server writes into an object by itself.
_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


def objects(manifest: str) -> dict[Key, Object]:
    """Return the objects of a manifest. Raises DppctlError when it is not YAML."""
    found: dict[Key, Object] = {}
    for text in _documents(manifest):
        thing, _ = read_yaml(text, "the manifest", typed=True)
        if isinstance(thing, dict) and "kind" in thing:
            meta = thing.get("metadata") or {}
            found[str(thing["kind"]), str(meta.get("namespace", "")), str(meta.get("name", ""))] = thing
    return found


def job_of(manifest: str) -> str | None:
    """Return the name of the Job that runs the pipelines; None: it has none."""
    with_job = "---\n".join(text for text in _documents(manifest) if "Job" in text)  # to parse a manifest takes long
    for (kind, _, name), thing in objects(with_job).items():
        labels = thing["metadata"].get("labels") or {}
        if kind == "Job" and labels.get("app.kubernetes.io/component") == JOB_COMPONENT:
            return name
    return None


def goes_back(manifest: str) -> bool:
    """Return whether the Job that runs the pipelines takes what it left before, where that is still there."""
    return any("kind: Job" in text and "--kept=" in text for text in _documents(manifest))


def schedules_of(manifest: str) -> tuple[PipelineSchedule, ...]:
    """Return the pipelines that run by the clock: in CronJobs, or as runs of a pool of workers."""
    found: list[PipelineSchedule] = []
    for (kind, _, _), thing in objects(
        "---\n".join(text for text in _documents(manifest) if "kind: CronJob" in text or _SCHEDULES in text)
    ).items():
        annotations, spec = thing["metadata"].get("annotations") or {}, thing.get("spec") or {}
        if kind == "CronJob" and "dppctl.io/pipeline" in annotations and not spec.get("suspend"):
            found.append(_schedule(annotations["dppctl.io/pipeline"], spec["schedule"], spec.get("timeZone")))
        elif kind == "Deployment" and _SCHEDULES in annotations:
            pool = json.loads(annotations[_SCHEDULES])
            found += [_schedule(one["id"], one["schedule"], pool.get("timeZone")) for one in pool["pipelines"]]
    return tuple(found)


def _schedule(pipeline: str, schedule: str, zone: str | None) -> PipelineSchedule:
    """Return it; without a zone it is the cluster's own, which is mostly UTC."""
    known = "UTC" if zone in (None, "Etc/UTC") else zone
    return PipelineSchedule(pipeline=pipeline, schedule=schedule, time_zone=known)


def kept_secrets(manifest: str) -> list[Object]:
    """Return the Secrets that helm is never to delete."""
    with_secret = "---\n".join(text for text in _documents(manifest) if "kind: Secret" in text)
    return [
        thing
        for (kind, _, _), thing in objects(with_secret).items()
        if kind == "Secret" and (thing["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") == "keep"
    ]


def diff(before: str, after: str) -> str:
    """Return how two manifests differ, as a unified diff of each object that does; empty when none does."""
    old, new = objects(before), objects(after)
    parts: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        old_object, new_object = old.get(key), new.get(key)
        if old_object == new_object:
            continue
        if key[0] == "Secret":
            old_object, new_object = _masked(old_object, new_object, "before"), _masked(new_object, old_object, "after")
        title = "/".join(part for part in key if part)
        parts += difflib.unified_diff(
            _lines(old_object),
            _lines(new_object),
            f"{title} (now)" if old_object else "(none)",
            f"{title} (then)" if new_object else "(none)",
        )
    return "".join(parts)


def as_helm_applies(thing: Object, release: str, namespace: str) -> Object:
    """Return an object with what helm adds to each: https://helm.sh/docs/chart_best_practices/labels/."""
    meta = thing["metadata"]
    annotations = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    labels = {**(meta.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    return {
        **thing,
        "metadata": {**meta, "labels": labels, "annotations": {**(meta.get("annotations") or {}), **annotations}},
    }


def drift(live: Object | None, would_be: Object | None) -> list[str]:
    """Return the fields that somebody changed, as paths; empty: none. `live` None: somebody deleted it."""
    if live is None:
        return ["it is gone"]
    return sorted(_differences(_plain(live), _plain(would_be or {}), ""))


def _documents(manifest: str) -> Iterator[str]:
    lines: list[str] = []
    for line in manifest.splitlines(keepends=True):
        if line.rstrip() == "---":
            yield "".join(lines)
            lines = []
        else:
            lines.append(line)
    yield "".join(lines)


def _lines(thing: Object | None) -> list[str]:
    return yaml.dump(thing, Dumper=_Dumper, sort_keys=True, width=200).splitlines(keepends=True) if thing else []


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Texts of several lines as such, so that a diff shows which line changed."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _masked(thing: Object | None, other: Object | None, word: str) -> Object | None:
    if thing is None:
        return None
    masked = dict(thing)
    for field in ("data", "stringData"):
        values, others = thing.get(field) or {}, (other or {}).get(field) or {}
        if isinstance(values, Mapping) and values:
            masked[field] = {
                name: "***" if not other or others.get(name) == value else f"*** ({word})"
                for name, value in values.items()
            }
    return masked


def _plain(thing: Object) -> Object:
    meta = {name: value for name, value in (thing.get("metadata") or {}).items() if name not in _NOISE}
    return {**{name: value for name, value in thing.items() if name != "status"}, "metadata": meta}


def _differences(left: Any, right: Any, path: str) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in left.keys() | right.keys():
            yield from _differences(left.get(name), right.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from _differences(*pair, f"{path}[{number}]")
    elif left != right:
        yield path
