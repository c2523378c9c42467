"""The API key of Kamatera that a person gave: from a flag, a variable, or as it is kept on this machine.

It is kept in the system's keyring, or where there is none in a file of the person's with the mode 0600.
"""

import os
from pathlib import Path

from cli.errors import InputError
from cli.home_folder import home_folder
from cli.init.prompts import Questions
from cli.init.secret_stores import EnvFile, Keyring, SecretStore
from cli.providers.kamatera.client import ApiKey

ACCOUNT_FLAG, SECRET_FLAG = "--kamatera-account-id", "--kamatera-secret-file"
ACCOUNT_ID, SECRET = "KAMATERA_API_CLIENT_ID", "KAMATERA_API_SECRET"  # as their Terraform provider calls them
SIGN_UP = "https://console.kamatera.com"
_SERVICE = "dppctl-kamatera"  # of the keyring


def find_key(account_id: str = "", secret_file: str = "") -> ApiKey | None:
    """Return the API key that flags, variables or what is kept say; None: one half is missing. Raises InputError."""
    account = account_id or os.environ.get(ACCOUNT_ID, "").strip()
    secret = _secret_of(secret_file) if secret_file else os.environ.get(SECRET, "").strip()
    if not (account and secret):
        kept_account, kept_secret = _kept(ACCOUNT_ID), _kept(SECRET)
        if account in ("", kept_account):
            account, secret = account or kept_account, secret or kept_secret
    return _checked(ApiKey(account, secret)) if account and secret else None


def ask_for_key(questions: Questions, account_id: str = "") -> ApiKey:
    """Ask for an API key. Raises InputError when nobody may be asked."""
    questions.note(f"Free Sign Up for The Kamatera Kubernetes service at {SIGN_UP}")
    account = account_id or questions.text("Kamatera Account ID", f"{ACCOUNT_FLAG} or {ACCOUNT_ID}")
    return _checked(ApiKey(account, questions.secret("Kamatera Secret", f"{SECRET_FLAG} or {SECRET}")))


def keep_key(key: ApiKey) -> SecretStore:
    """Keep an API key for the next commands, and return where. Raises InputError."""
    store = _stores()[0]
    if (_kept(ACCOUNT_ID), _kept(SECRET)) != (key.account_id, key.secret):
        store.write({ACCOUNT_ID: key.account_id, SECRET: key.secret})
    return store


def forget_key() -> bool:
    """Keep no API key any more; return whether one was kept. Raises InputError."""
    was_kept = bool(_kept(SECRET))
    for store in _stores():
        if store.read(SECRET):
            store.write({ACCOUNT_ID: "", SECRET: ""})
    return was_kept


def _kept(variable: str) -> str:
    return next((value for store in _stores() if (value := store.read(variable))), "")


def _stores() -> list[SecretStore]:
    """Return the keyring, if this system has one, and the file."""
    file = EnvFile(home_folder() / "kamatera.env")
    try:
        return [Keyring(_SERVICE), file]
    except InputError:
        return [file]


def _secret_of(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{SECRET_FLAG} {file} cannot be read: {error}") from None


def _checked(key: ApiKey) -> ApiKey:
    """Return a key whose halves can be headers. Raises InputError."""
    for what, half in (("Account ID", key.account_id), ("Secret", key.secret)):
        if not half.isascii() or not half.isprintable():
            raise InputError(f"the Kamatera {what} holds characters that none has; copy it once more")
    return key
