"""Contexts that dppctl adds to the kubeconfig file of a person, and removes again; all others stay as they are.

Which file it is, and how writers take turns: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cli.errors import InputError
from cli.limits import KUBECONFIG_LOCK_SECONDS

_KINDS = {"clusters": "cluster", "contexts": "context", "users": "user"}
# What is taken of a file that a server wrote: never a program to run, nor a path of this machine.
_CLUSTER, _USER = ("certificate-authority-data",), ("client-certificate-data", "client-key-data", "token")


def own_entries(text: str, server: str, name: str) -> dict[str, Any]:
    """Return the entries of a foreign kubeconfig file's current context under a name of ours, by kind; pure.

    `server`: the API server's address, instead of the file's own. Raises InputError for a file without certificates.
    """
    try:
        found = YAML(typ="safe").load(text)
        context = next(each for each in found["contexts"] if each["name"] == found["current-context"])["context"]
        cluster = next(each for each in found["clusters"] if each["name"] == context["cluster"])["cluster"]
        user = next(each for each in found["users"] if each["name"] == context["user"])["user"]
        user = {key: _data(user[key]) for key in _USER if key in user}
        entries = {
            "clusters": {"server": server} | {key: _data(cluster[key]) for key in _CLUSTER},
            "contexts": {"cluster": name, "user": name},
            "users": user,
        }
    except (YAMLError, LookupError, TypeError, ValueError, StopIteration) as error:
        raise InputError(f"the cluster's kubeconfig file is not as expected: {type(error).__name__}") from None
    if not user:
        raise InputError("the cluster's kubeconfig file is not as expected: it has no certificate of a user")
    return entries


def has_context(name: str) -> bool:
    """Return whether the file has such a context. Raises InputError for a file that cannot be read."""
    return any(each.get("name") == name for each in _read(_file()).get("contexts") or [])


def add_context(name: str, entries: dict[str, Any]) -> Path:
    """Write a context with its cluster and user, whole or not at all, and return the file. Raises InputError."""
    with _changing() as (file, content):
        for kind, singular in _KINDS.items():
            _drop(content, kind, name)
            content[kind].append({"name": name, singular: entries[kind]})
        content.setdefault("apiVersion", "v1")
        content.setdefault("kind", "Config")
        if not content.get("current-context"):
            content["current-context"] = name
    return file


def remove_context(name: str) -> bool:
    """Remove a context with its cluster and user; return whether it was there. Raises InputError."""
    if not has_context(name):
        return False
    with _changing() as (_, content):
        for kind in _KINDS:
            _drop(content, kind, name)
        if content.get("current-context") == name:
            content["current-context"] = ""
    return True


def _file() -> Path:
    """Return the file that kubectl would write: the first of KUBECONFIG that there is, else the first."""
    named = [Path(each) for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    if not named:
        return Path.home() / ".kube" / "config"
    return next((each for each in named if each.exists()), named[0])


def _read(file: Path) -> dict[str, Any]:
    try:
        found = YAML().load(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise InputError(f"the kubeconfig file {file} cannot be read: {str(error).splitlines()[0]}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"the kubeconfig file {file} is none: it holds no keys")
    return found


@contextmanager
def _changing() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the file and its content, and write it at the end of the block. Raises InputError."""
    file = _file()
    lock = file.with_name(f"{file.name}.lock")  # as kubectl has it: client-go's tools/clientcmd/config.go
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _take(lock)
        try:
            content = _read(file)
            yield file, content
            target, text = file.resolve(), StringIO()  # a link stays one
            YAML().dump(content, text)
            part = target.with_name(f"{target.name}.dppctl-part")
            part.unlink(missing_ok=True)
            part.touch(0o600)
            part.write_text(text.getvalue(), encoding="utf-8")
            part.replace(target)
        finally:
            lock.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{error.filename or file} cannot be written: {error.strerror}") from None


def _drop(content: dict[str, Any], kind: str, name: str) -> None:
    """Remove an entry of this kind and name in place, so that a person's comments stay."""
    content[kind] = content.get(kind) or []
    for position in reversed(range(len(content[kind]))):
        if content[kind][position].get("name") == name:
            del content[kind][position]


def _take(lock: Path) -> None:
    end = time.monotonic() + KUBECONFIG_LOCK_SECONDS
    while True:
        with suppress(FileExistsError):
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            return
        if time.monotonic() > end:
            raise InputError(f"{lock} is there: kubectl writes the file, or was killed as it did; remove it then")
        time.sleep(0.1)


def _data(value: object) -> str:
    """Return a value of base64, or a token. Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(r"[\w+/=.:-]{1,20000}", value):
        raise ValueError("no base64")
    return value
