"""The servers' settings: environment variables `DPPCTL_…`, read once into one object that is nested by subject.

A `.env` file in the configuration folder is read first; the environment wins over it. Where DPPCTL_KEYRING names a
service of the system's keyring, secrets that neither has come from there (`dppctl init` puts them there).
"""

from bot.settings.load import load_settings
from bot.settings.settings import Settings

__all__ = ["Settings", "load_settings"]
