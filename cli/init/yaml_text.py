"""YAML files that people edit: read and written back with their comments and quotes."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML


def round_trip() -> YAML:
    """Return a YAML reader and writer that keeps comments, quotes and long lines."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


def dump(yaml: YAML, document: Any) -> str:
    """Return the document as text."""
    text = StringIO()
    yaml.dump(document, text)
    return text.getvalue()
