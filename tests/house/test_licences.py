"""docs/licences.md names the licence of each package that is installed, as the package says it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.environment import REPOSITORY

_FAMILIES = {
    "LGPL": "Lesser|LGPL",
    "GPL": "GPL|General Public",
    "MPL-2.0": "MPL|Mozilla",
    "permissive": "MIT|BSD|Apache|PSF|Python Software|ISC|Public Domain",
}
_LOCKS = ("requirements.txt", "cluster/local/dpp/requirements.txt")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def listed() -> list[dict[str, str]]:
    """Return for each lock the licence of each package, as the page has it."""
    found: list[dict[str, str]] = []
    for line in (REPOSITORY / "docs" / "licences.md").read_text().splitlines():
        if line == "| licence | packages |":
            found.append({})
        elif (row := re.fullmatch(r"\| ([A-Za-z0-9.-]+) \| (.*) \|", line)) and found and row[1] in _FAMILIES:
            found[-1] |= dict.fromkeys(row[2].split(", "), row[1])
    return found


def installed(python: Path) -> dict[str, str]:
    command = [str(Path(sys.executable).parent / "pip-licenses"), "--python", str(python), "--from=mixed"]
    done = subprocess.run([*command, "--format=json"], capture_output=True, text=True, check=True)
    return {plain(found["Name"]): found["License"] for found in json.loads(done.stdout)}


@pytest.mark.parametrize("number", range(2))
def test_the_page_names_what_a_lock_has(number: int) -> None:
    pins = re.findall(r"^([a-z0-9][^= ]*)==", (REPOSITORY / _LOCKS[number]).read_text(), re.MULTILINE)
    assert sorted(listed()[number]) == sorted(map(plain, pins))


def wrong(page: dict[str, str], python: Path) -> list[str]:
    """Return the packages whose licence is another one than the page says."""
    said = {name: text for name, text in installed(python).items() if name in page}
    assert len(said) > 50
    families = {
        name: next((key for key, words in _FAMILIES.items() if re.search(words, text)), text)
        for name, text in said.items()
    }
    return [f"{name}: {family}" for name, family in families.items() if family != page[name]]


def test_dppctls_packages_say_the_same() -> None:
    assert wrong(listed()[0], Path(sys.executable)) == []


@pytest.mark.needs("dpp")
def test_the_packages_of_dpps_environment_say_the_same(runtime: DppEnvironment) -> None:
    assert wrong(listed()[1], runtime.bin / "python") == []
