"""Whose certificates are believed: a file of the settings, and what the machine says to all programs."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

# What git, requests, curl and OpenSSL read; each of them only some. The first that is set counts, for all that we run.
_BUNDLES = ("GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def machine_bundle(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the file (PEM) or folder that the machine's variables name; None without any."""
    return next((value for name in _BUNDLES if (value := environment.get(name))), None)


def _check(path: Path | None) -> Path | None:
    """Return the absolute path of a file with certificates. Raises ValueError when it is none."""
    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"{path} holds no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return path.absolute()


Authority = Annotated[Path | None, BeforeValidator(lambda value: value or None), AfterValidator(_check)]
