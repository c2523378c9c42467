"""The servers' settings that `dppctl init` knows: who commits, where they are reached, what they show each other."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Change


@dataclass(frozen=True)
class KeepStep:
    """These variables are kept in that place."""

    place: SecretStore
    values: Mapping[str, str]
    what: str  # how messages call them

    def look(self) -> Change | str:
        """What has another value is changed; values are never told."""
        differing = {name: value for name, value in self.values.items() if self.place.read(name) != value}
        if not differing:
            return f"{self.what}: in {self.place}"
        return Change(
            f"put {self.what} into {self.place} ({', '.join(differing)})", lambda: self.place.write(differing)
        )


@dataclass(frozen=True)
class GenerateStep:
    """These secrets are there, whatever they are: nobody needs to know them."""

    place: SecretStore
    variables: Sequence[str]
    what: str

    def look(self) -> Change | str:
        """Those that are missing are made."""
        missing = [name for name in self.variables if not self.place.read(name)]
        if not missing:
            return f"{self.what}: in {self.place}"
        values = {name: secrets.token_hex(24) for name in missing}
        return Change(f"make {self.what} in {self.place} ({', '.join(missing)})", lambda: self.place.write(values))
