"""The machine that tests run on: what it has, what runs on it."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def use_kubeconfig(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """For this test KUBECONFIG names that file."""
    monkeypatch.setenv("KUBECONFIG", file)


def processes_with(text: str) -> list[int]:
    """The processes whose command line, environment or folder holds this text (Linux), this one left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            content = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            content += os.fsencode(os.readlink(folder / "cwd"))
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if text.encode() in content and state != "Z":
            found.append(int(folder.name))
    return found
