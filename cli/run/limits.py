"""What a workload that comes over the network may cost. In a file of its own, so that reading it costs nothing."""

import os
from dataclasses import dataclass, fields
from typing import Self

from cli.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Settings: `DPPCTL_MAX_DOWNLOAD_BYTES` and so on, whole numbers above 0."""

    max_download_bytes: int = 512 * 2**20
    max_unpacked_bytes: int = 2 * 2**30
    max_entries: int = 99_999

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings. Raises InputError for a setting that is no such number."""
        return cls(**{limit.name: _whole_number(limit.name, getattr(cls, limit.name)) for limit in fields(cls)})


def _whole_number(name: str, default: int) -> int:
    setting = "DPPCTL_" + name.upper()
    text = os.environ.get(setting) or str(default)
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise InputError(f"{setting}={text!r} is no whole number above 0")
    return int(text)
