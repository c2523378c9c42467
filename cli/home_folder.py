"""Where dppctl keeps what is a person's own; apart, as every `dppctl run` looks there."""

from pathlib import Path

import click


def home_folder() -> Path:
    """Return dppctl's folder (https://click.palletsprojects.com/en/stable/api/#click.get_app_dir)."""
    return Path(click.get_app_dir("dppctl"))
