"""Manifests: the objects of a release, compared. Pure.

The diff is for people's eyes, so what a Secret holds is masked in it; that it changed is still seen.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bot.model.safe_yaml import read_yaml

Object = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace as written, name

JOB_COMPONENT = "job"
# What the API server writes into an object by itself.
_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


def objects(manifest: str) -> dict[Key, Object]:
    """The objects of a manifest. Raises DppctlError when it is not YAML."""
    found: dict[Key, Object] = {}
    for text in _documents(manifest):
        thing, _ = read_yaml(text, "the manifest")
        if isinstance(thing, dict) and "kind" in thing:
            meta = thing.get("metadata") or {}
            found[str(thing["kind"]), str(meta.get("namespace", "")), str(meta.get("name", ""))] = thing
    return found


def job_of(manifest: str) -> str | None:
    """The name of the Job that runs the pipelines; None: there are none to run."""
    with_job = "---\n".join(text for text in _documents(manifest) if "Job" in text)  # to parse a manifest takes long
    for (kind, _, name), thing in objects(with_job).items():
        labels = thing["metadata"].get("labels") or {}
        if kind == "Job" and labels.get("app.kubernetes.io/component") == JOB_COMPONENT:
            return name
    return None


def diff(before: str, after: str) -> str:
    """How two manifests differ, as a unified diff of each object that does; empty when none does."""
    old, new = objects(before), objects(after)
    parts: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        one, other = old.get(key), new.get(key)
        if one == other:
            continue
        if key[0] == "Secret":
            one, other = _masked(one, other, "before"), _masked(other, one, "after")
        title = "/".join(part for part in key if part)
        parts += difflib.unified_diff(
            _lines(one), _lines(other), f"{title} (now)" if one else "(none)", f"{title} (then)" if other else "(none)"
        )
    return "".join(parts)


def as_helm_applies(thing: Object, release: str, namespace: str) -> Object:
    """With what helm adds to each object: https://helm.sh/docs/chart_best_practices/labels/"""
    meta = thing["metadata"]
    annotations = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    labels = {**(meta.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    return {
        **thing,
        "metadata": {**meta, "labels": labels, "annotations": {**(meta.get("annotations") or {}), **annotations}},
    }


def drift(live: Object | None, would_be: Object | None) -> list[str]:
    """The fields that somebody changed, as paths; empty: none. `live` None: somebody deleted it."""
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


def _differences(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from _differences(one.get(name), other.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}[{number}]")
    elif one != other:
        yield path
