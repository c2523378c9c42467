"""Logs a person in by a browser, on this machine or another: https://www.rfc-editor.org/rfc/rfc8628."""

import os
import platform
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence

from pydantic import BaseModel, Field

from bot.model.account import Scope
from cli.errors import InputError
from cli.remote.auth import AuthClient
from cli.remote.errors import ProxyAwayError, ProxyRefusedError
from cli.remote.limits import AUTH_AWAY_SECONDS, POLL_FACTOR, SLOW_DOWN_SECONDS

CLIENT = "dppctl"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class _DeviceCode(BaseModel):
    device_code: str = Field(repr=False, max_length=1000)
    user_code: str = Field(pattern=r"^[\x21-\x7e]{1,100}$")
    verification_uri: str = Field(pattern=r"^https?://[\x21-\x7e]{1,500}$")
    expires_in: float = Field(gt=0, le=86_400)
    interval: float = Field(5, ge=0, le=600)


class _IssuedToken(BaseModel):
    access_token: str = Field(repr=False, pattern=r"^[\x21-\x7e]{1,1000}$")


def log_in(
    auth: AuthClient,
    scopes: Sequence[Scope],
    show: Callable[[str], None],
    open_page: Callable[[str], bool],
) -> str:
    """Return a new token, once the person has allowed it on the page that `show` names, with its code.

    `open_page` opens it in a browser, if there is one. Raises InputError when it was not allowed, or not in time.
    """
    form = {"client_id": CLIENT, "scope": " ".join(scopes), "name": platform.node()[:100] or "a machine"}
    code = auth.ask(_DeviceCode, "POST", "/device/code", form)
    show(f"Open {code.verification_uri} and enter the code {code.user_code}")
    if open_page(code.verification_uri):
        show("(a browser should show it now)")
    interval, until = code.interval, time.monotonic() + code.expires_in
    answered = time.monotonic()
    while time.monotonic() < until:
        time.sleep(interval * POLL_FACTOR)
        form = {"client_id": CLIENT, "grant_type": _GRANT, "device_code": code.device_code}
        try:
            return auth.ask(_IssuedToken, "POST", "/token", form).access_token
        except ProxyAwayError:
            if time.monotonic() - answered > AUTH_AWAY_SECONDS:
                raise
            interval += SLOW_DOWN_SECONDS
        except ProxyRefusedError as error:
            answered = time.monotonic()
            if error.code == "slow_down":
                interval += SLOW_DOWN_SECONDS
            elif error.code == "access_denied":
                raise InputError("it was denied on the page; no token was made") from None
            elif error.code == "expired_token":
                break
            elif error.code != "authorization_pending":
                raise
    raise InputError("nobody entered the code in time; `dppctl login` again gets another one")


def open_browser(url: str) -> bool:
    """Open a page where a person sits before a graphical screen, and return whether that is so."""
    if not sys.stdin.isatty():
        return False
    has_screen = sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in _SCREENS)
    try:
        return has_screen and webbrowser.open(url)  # without a screen it might take the terminal for a text browser
    except (webbrowser.Error, OSError):
        return False


_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
