"""The environment that each git gets.

https://git-scm.com/docs/git#_environment_variables
It lets no prompt, no other protocol and none of the machine's git configuration in, and none of dppctl's secrets out.
"""

import base64
import os
from math import ceil
from urllib.parse import urlsplit

from bot.limits import GIT_BYTES_A_SECOND
from bot.program_environment import listed_environment
from bot.settings import Settings
from bot.settings.certificates import machine_bundle


def make_environment(settings: Settings, token: str) -> dict[str, str]:
    """Return the variables of a git that may use this token for the forge; "" for none.

    The token is in no argument and no file, but in a setting of git that the environment holds.
    """
    ours = listed_environment()
    config = {
        "core.hooksPath": os.devnull,
        "gc.autoDetach": "false",  # no git that outlives its call
        "maintenance.auto": "false",  # it would be silent; `Mirror` does it
        "gc.bigPackThreshold": "512m",  # larger ones are not written anew each time
        # What somebody pushed is not to take git's memory: larger files go through it in pieces, and what it keeps for
        # deltas has limits (https://git-scm.com/docs/git-config#Documentation/git-config.txt-corebigFileThreshold).
        "core.bigFileThreshold": "32m",
        "core.deltaBaseCacheLimit": "32m",
        "pack.windowMemory": "64m",
        "pack.threads": "2",
        "fetch.unpackLimit": "1",  # keep packs as they come: git tells the progress of that only
        "http.lowSpeedLimit": str(GIT_BYTES_A_SECOND),
        "http.lowSpeedTime": str(ceil(settings.github.silence_seconds)),
        "lfs.forceprogress": "true",
        "http.followRedirects": "false",  # a redirect could carry the token elsewhere
    }
    if settings.github.ca:
        config[f"http.{settings.github.url}/.sslCAInfo"] = str(settings.github.ca)
    elif bundle := machine_bundle():
        ours["GIT_SSL_CAPATH" if os.path.isdir(bundle) else "GIT_SSL_CAINFO"] = bundle
    if token:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        config[f"http.{settings.github.url}/.extraHeader"] = f"Authorization: Basic {basic}"
    for number, (key, value) in enumerate(config.items()):
        ours |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return ours | {
        "GIT_CONFIG_COUNT": str(len(config)),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": urlsplit(settings.github.url).scheme,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": settings.github.user,
        "GIT_AUTHOR_EMAIL": settings.github.email,
        "GIT_COMMITTER_NAME": settings.github.user,
        "GIT_COMMITTER_EMAIL": settings.github.email,
        "LC_ALL": "C.UTF-8",
    }
