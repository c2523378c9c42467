"""Credentials for registries, from the file that `docker login`, `podman login` and `skopeo login` write.

The builders get the same file (`--authfile`), so people log in once; nothing of it is ever in argv or in a message.
The format: https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
"""

import base64
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field, ValidationError

from bot.images.registry.answers import Lenient
from bot.images.registry.errors import RegistryDeniedError
from bot.model.image_reference import Reference

_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


class _Login(Lenient):
    auth: str = Field(default="", repr=False)  # base64 of USER:PASSWORD
    username: str = ""
    password: str = Field(default="", repr=False)
    identitytoken: str = Field(default="", repr=False)

    def header(self) -> str | None:
        """Return the Authorization header, None when it is empty. Raises ValueError when `auth` is malformed."""
        basic = base64.b64decode(self.auth, validate=True) or f"{self.username}:{self.password}".encode()
        if b":" not in basic:
            raise ValueError
        return None if basic == b":" else f"Basic {base64.b64encode(basic).decode()}"


class _AuthFile(Lenient):
    auths: dict[str, _Login] = Field(default_factory=dict)
    credHelpers: dict[str, str] = Field(default_factory=dict)  # noqa: N815 (the file's own name)
    credsStore: str = ""  # noqa: N815


def read_basic(auth_file: Path, reference: Reference) -> str | None:
    """Return the Authorization header (`Basic …`) that the file holds for an image; None when it has none.

    Raises RegistryDeniedError naming the file and what is wrong with it.
    """
    held = _read(auth_file)
    logins = {_scope(key): (key, login) for key, login in held.auths.items()}
    for scope in _scopes(reference):
        key, login = logins.get(scope, ("", _Login()))
        if login.identitytoken:
            raise RegistryDeniedError(
                f"{auth_file}: {key}: identity tokens are not supported; log in with a user's name and an access token"
            )
        if header := login.header():
            return header
    helper = next((name for key, name in held.credHelpers.items() if _scope(key) in _scopes(reference)), "")
    if helper := helper or held.credsStore:
        raise RegistryDeniedError(
            f"{auth_file}: the helper {helper!r} keeps the credentials for {reference.host}, and helpers are not run; "
            "use a file without credsStore and credHelpers (`skopeo login --authfile FILE HOST` writes one)"
        )
    return None


def logins_for(auth_file: Path, names: Iterable[str]) -> dict[str, object]:
    """Return what a file for builders holds that has the logins for these images (HOST/NAME) and what is below them.

    Raises RegistryDeniedError as `read_basic` does.
    """
    found = {name: read_basic(auth_file, Reference.parse(name)) for name in sorted(names)}
    return {"auths": {name: {"auth": header.removeprefix("Basic ")} for name, header in found.items() if header}}


def login_hosts(auth_file: Path) -> frozenset[str]:
    """Return the registries that the file has logins for. Raises RegistryDeniedError as `read_basic` does."""
    return frozenset(_scope(key).partition("/")[0] for key in _read(auth_file).auths)


def _read(auth_file: Path) -> _AuthFile:
    try:
        held = _AuthFile.model_validate_json(auth_file.read_bytes())
    except OSError as error:
        raise RegistryDeniedError(f"the file of registry credentials cannot be read: {error}") from None
    except ValidationError:  # its text would quote the file
        raise RegistryDeniedError(
            f"{auth_file} is no file of registry credentials: expected JSON with `auths`, as `docker login` writes it"
        ) from None
    for key, login in held.auths.items():
        try:
            login.header()
        except ValueError:
            raise RegistryDeniedError(f"{auth_file}: {key}: `auth` is not the base64 of USER:PASSWORD") from None
    return held


def _scope(key: str) -> str:
    """Return what a key of the file means: docker's is `https://index.docker.io/v1/`, podman's `docker.io/user`."""
    bare = key.partition("://")[2] or key
    host, _, path = bare.strip("/").partition("/")
    path = "" if path in ("v1", "v2") else path
    return f"{_DOCKER_HUB[0] if host in _DOCKER_HUB else host}/{path}".rstrip("/")


def _scopes(reference: Reference) -> list[str]:
    """Return what credentials for an image may be listed under, the most specific first."""
    parts = reference.name.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
