"""What a person chooses of a cluster at Kamatera, as `.dppctl.yaml` and flags have it, checked before any call.

Sizes are those of Kamatera's own Kubernetes nodes, with a smaller disk.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cli.errors import InputError

MODES = ("k3s", "k8s")
_PATTERNS = {
    # A Kubernetes node's name as well, so no capitals; their Terraform provider has 4 to 40 characters.
    "Name": (r"[a-z][a-z0-9-]{2,38}[a-z0-9]", "4 to 40 small letters, digits and -, such as dppctl"),
    "Datacenter": (r"[A-Z0-9-]{2,6}", "a datacenter's id, such as EU or US-NY2"),
    "Cpu": (r"[1-9]\d{0,2}[ABDT]", "a number of CPUs and their type, such as 2B"),
    "Ram": (r"[1-9]\d{2,6}", "megabytes, such as 4096"),
    "Disk": (r"[1-9]\d{0,3}", "gigabytes, such as 40"),
    "Mode": (r"k3s|k8s", "k3s (a server of its own) or k8s (Kamatera's Kubernetes service, beta)"),
}
_DEFAULTS = {"Name": "dppctl", "Datacenter": "EU", "Cpu": "2B", "Ram": "4096", "Disk": "40", "Mode": "k3s"}
_SERVICE_NAME = 15  # characters: their service makes NAME-controlplane-1-XXXXXXX of it


@dataclass(frozen=True)
class KamateraChoices:
    """The choices, each as a text that Kamatera takes."""

    name: str
    datacenter: str
    cpu: str
    ram: str
    disk: str
    mode: str

    def settings(self) -> dict[str, str]:
        """Return them by their keys of `.dppctl.yaml`."""
        return {key_of(name): getattr(self, name.lower()) for name in _DEFAULTS}

    def __str__(self) -> str:
        return f"{self.cpu} CPUs, {self.ram} MB of memory and {self.disk} GB of disk in datacenter {self.datacenter}"


def parse_choices(settings: Mapping[str, str]) -> KamateraChoices:
    """Return the choices of the settings `kamatera…`. Raises InputError for one that cannot be."""
    found: dict[str, str] = {}
    for name, default in _DEFAULTS.items():
        key = key_of(name)
        value = str(settings.get(key) or default).strip()
        value = value.upper() if name in ("Datacenter", "Cpu") else value
        pattern, expected = _PATTERNS[name]
        if not re.fullmatch(pattern, value):
            raise InputError(f"{key} (--kamatera-{name.lower()}) {value[:100]!r}: expected {expected}")
        found[name.lower()] = value
    if found["mode"] == "k8s" and len(found["name"]) > _SERVICE_NAME:
        raise InputError(
            f"kamateraName {found['name']!r}: at most {_SERVICE_NAME} characters with kamateraMode k8s, "
            "as the names of its servers begin with it"
        )
    return KamateraChoices(**found)


def key_of(name: str) -> str:
    """Return the key of `.dppctl.yaml` for a choice: `kamateraCpu` for Cpu."""
    return f"kamatera{name}"
