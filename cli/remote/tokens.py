"""A person's token of a cluster: in the system's keyring, or in a file of the person's where there is none.

`DPPCTL_TOKEN` wins over both, for scripts.
"""

import os
from pathlib import Path

from cli.errors import InputError
from cli.home_folder import home_folder
from cli.init.secret_stores import EnvFile, Keyring, SecretStore

VARIABLE = "DPPCTL_TOKEN"
_SERVICE = "dppctl-clusters"  # of the keyring


def read_token(cluster: str) -> str:
    """Return the token to show a cluster. Raises InputError when there is none."""
    if token := os.environ.get(VARIABLE):
        return token.strip()
    if not (token := kept_token(cluster)):
        raise InputError(f"there is no token for the cluster {cluster}; `dppctl login {cluster}` asks for it")
    return token


def kept_token(cluster: str) -> str:
    """Return the token that `keep_token` has kept, "" when there is none."""
    token = EnvFile(_file()).read(_name(cluster))
    if not token and (keyring := _keyring()):
        token = keyring.read(_name(cluster))
    return token or ""


def keep_token(cluster: str, token: str) -> SecretStore:
    """Keep a token for the next commands, and return where. Raises InputError."""
    file = EnvFile(_file())
    keyring = _keyring()
    if keyring is None:
        file.write({_name(cluster): token})
        return file
    keyring.write({_name(cluster): token})
    if file.read(_name(cluster)):
        file.write({_name(cluster): ""})
    return keyring


def forget_token(cluster: str) -> None:
    """Keep no token for this cluster any more. Raises InputError."""
    if _file().exists():
        EnvFile(_file()).write({_name(cluster): ""})
    if keyring := _keyring():
        keyring.write({_name(cluster): ""})


def _keyring() -> Keyring | None:
    try:
        return Keyring(_SERVICE)
    except InputError:
        return None


def _file() -> Path:
    return home_folder() / "clusters.env"


def _name(cluster: str) -> str:
    return f"{VARIABLE}_{cluster.upper().replace('-', '_')}"
