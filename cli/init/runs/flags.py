"""The flags of `dppctl init` that are about runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunsFlags:
    """None: not given."""

    workers: int | None
    databases: int | None
    image: str | None
    worker_image: str | None
    cluster_name: str | None
    token_user: str | None
    wait: float | None  # seconds
    values: Path | None
