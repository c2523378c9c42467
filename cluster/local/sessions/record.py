"""The records of pods: what runs, or is kept running for a while, on this machine.

A pod is a folder with a `pod.json`, readable by its user only, for it holds passwords. It names the processes that
own the pod; when none of them lives, the pod is over, and whoever looks next clears away what they left. At any
time one process writes a record: the command while it runs, then the keeper.
"""

import dataclasses
import datetime
import json
import os
import secrets
import shutil
import signal
import string
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cluster.errors import ClusterError
from cluster.limits import SESSION_END_SECONDS, SESSION_MAKING_SECONDS
from cluster.local import processes
from cluster.local.folders import data_dir

Kind = Literal["worker", "db"]

_LETTERS = string.ascii_lowercase + string.digits
_RECORD = "pod.json"
_STOP = "stop"
"""A file of this name in the pod's folder, and SIGHUP, ask the keeper to end this pod."""


@dataclass
class Session:
    """One pod; `folder` is its own, for anything that should go away with it."""

    name: str
    kind: Kind
    created: str
    owners: list[processes.Identity]
    status: Literal["assigned", "available"] = "assigned"
    pipeline: str = ""
    workload: str = ""
    path: str = ""
    """The folder with dpp and its Python; empty where they are in an image."""
    environment: dict[str, str] = field(default_factory=dict)
    """What a shell in the pod needs: DPP_DB_ENGINE and the like."""
    engine: str = ""
    file: str = ""
    """The SQLite file, which outlives the pod."""
    urls: dict[str, str] = field(default_factory=dict)
    worker: processes.Identity | None = None
    """What `dppctl stop` ends while pipelines run."""
    keeper: processes.Identity | None = None
    children: list[processes.Identity] = field(default_factory=list)
    """What has to end when the owners died without ending it."""
    scratch: str = ""
    """A folder elsewhere that goes away with the pod."""

    @property
    def folder(self) -> Path:
        return _pods() / self.name

    @property
    def age(self) -> float:
        """Seconds."""
        return time.time() - datetime.datetime.fromisoformat(self.created).timestamp()

    def update(self, **fields: Any) -> None:
        """Change the record: this object and the file. Raises ClusterError when it cannot be written."""
        for name, value in fields.items():
            if not hasattr(self, name):
                raise AttributeError(name)
            setattr(self, name, value)
        try:
            write_secret(self.folder / _RECORD, json.dumps(dataclasses.asdict(self), indent=1))
        except OSError as error:
            raise ClusterError(f"cannot write in {self.folder}: {error.strerror or error}") from error

    def alive(self) -> bool:
        return any(processes.alive(owner) for owner in self.owners)

    def remove(self) -> None:
        """End what is left of it and remove its files; a SQLite file and the storage stay, they are the user's."""
        for child in self.children:
            processes.end(child, signal.SIGINT)
        # Not an error when gone: another command may be clearing away the same pod.
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def create(
    kind: Kind,
    *,
    pipeline: str = "",
    workload: str = "",
    path: str = "",
    environment: dict[str, str] | None = None,
) -> Session:
    """A new pod, assigned and owned by this process. Raises ClusterError when the folder cannot be written."""
    pod = Session(
        name=f"dppctl-{kind}-" + "".join(secrets.choice(_LETTERS) for _ in range(12)),
        kind=kind,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        owners=[processes.me()],
        pipeline=pipeline,
        workload=workload,
        path=path,
        environment=environment or {},
    )
    try:
        _pods().mkdir(parents=True, exist_ok=True)
        pod.folder.mkdir(mode=0o700)
    except OSError as error:
        hint = "DPPCTL_DATA_DIR names another folder"
        raise ClusterError(f"cannot write in {_pods()}: {error.strerror or error}; {hint}") from error
    try:
        pod.update()
    except ClusterError:
        pod.remove()
        raise
    return pod


def load(name: str) -> Session:
    """Raises ClusterError, with the names that there are, when no such pod runs."""
    known = {pod.name: pod for pod in all_pods()}
    if name not in known:
        raise ClusterError(f"no pod '{name}' here; " + (f"there are {', '.join(known)}" if known else "no pod runs"))
    return known[name]


def all_pods() -> list[Session]:
    """Those that live, the oldest first. The others are removed, with what their owners left."""
    if not _pods().is_dir():
        return []
    found = []
    for folder in _pods().iterdir():
        pod = read(folder.name)
        if pod and pod.alive():
            found.append(pod)
        elif pod:
            pod.remove()
        elif _older(folder, SESSION_MAKING_SECONDS):
            shutil.rmtree(folder, ignore_errors=True)
    return sorted(found, key=lambda pod: (pod.created, pod.name))


def read(name: str) -> Session | None:
    """The record as it is; None when there is none (any more)."""
    try:
        text = (_pods() / name / _RECORD).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    fields = {known.name for known in dataclasses.fields(Session)}
    return Session(**{name: value for name, value in json.loads(text).items() if name in fields})


def stop(pod: Session) -> None:
    """End the pod alone: its pipelines, its servers, its record. Returns when all that is gone."""
    processes.end(pod.worker, within=SESSION_END_SECONDS)
    if processes.alive(pod.keeper) and pod.folder.exists():
        (pod.folder / _STOP).touch()
        processes.send(pod.keeper, signal.SIGHUP)
        until = time.monotonic() + SESSION_END_SECONDS
        while pod.folder.exists() and time.monotonic() < until:
            time.sleep(0.02)
    if pod.folder.exists():
        processes.end(pod.keeper)
        pod.remove()


def wanted(name: str) -> bool:
    """False when the pod is gone or somebody asked to end it."""
    return (_pods() / name / _RECORD).exists() and not (_pods() / name / _STOP).exists()


def write_secret(file: Path, text: str) -> None:
    """Whole or not at all, and never readable by others."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    half.replace(file)


def _pods() -> Path:
    return data_dir() / "pods"


def _older(folder: Path, age: float) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > age
    except FileNotFoundError:
        return False
