"""The types of single settings: how a variable's text becomes a value, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Value = TypeVar("Value")


class Section(BaseModel):
    """The settings of one subject. Each field names its environment variable."""

    model_config = ConfigDict(frozen=True)


def is_web(url: str) -> bool:
    """Return whether this is an address on the web, without a password."""
    parts = urlsplit(url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("https", "http") and bool(parts.hostname) and plain


def _split(value: object) -> object:
    """Return the parts of a text that are separated by commas, without empty ones."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


CommaSeparated = Annotated[Value, BeforeValidator(_split)]


def pairs(expected: str, *, accepts: Callable[[str], bool] = lambda _: True) -> BeforeValidator:
    """Return what makes a dictionary of `NAME=VALUE,NAME=VALUE`; another text is refused with what is `expected`."""

    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if not all(equals and accepts(text) for _, equals, text in parts):
            raise ValueError(f"expected {expected}")
        return {name: text for name, _, text in parts}

    return BeforeValidator(split)


def _check_web(value: str) -> str:
    if value and not is_web(value):
        raise ValueError("expected https://HOST or http://HOST, without a password")
    return value.rstrip("/")


def _check_plain(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http", "ssh", "file") or parts.password or parts.query or parts.fragment:
        raise ValueError("expected https://HOST, ssh://USER@HOST or file:///FOLDER, without a password")
    return value.rstrip("/")


def _check_file(path: Path | None) -> Path | None:
    """Return the absolute path of a file that can be read. Raises ValueError."""
    try:
        if path:
            path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return path.absolute() if path else None


ExistingFile = Annotated[Path | None, BeforeValidator(lambda value: value or None), AfterValidator(_check_file)]
WebUrl = Annotated[str, AfterValidator(_check_web)]  # "" too: left out
GitUrl = Annotated[str, AfterValidator(_check_plain)]
Name = Annotated[str, Field(pattern=r"^[^<>\x00-\x1f]+$")]  # as git has names and addresses in a commit
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free one
Concurrency = Annotated[int, Field(ge=1, le=64)]
KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGT]i?|Ki)?$")]  # Kubernetes' own, such as 500m, 4Gi
