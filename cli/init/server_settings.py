"""The servers' settings that `dppctl init` knows: who commits, where they are reached, what they show each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from cli.init.secret_places import SecretPlace
from cli.init.steps import Change


@dataclass(frozen=True)
class KeepStep:
    """These variables are kept in that place."""

    place: SecretPlace
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
