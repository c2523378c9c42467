"""The servers' settings that `dppctl init` knows: who commits, where they are reached, with which token."""

from collections.abc import Mapping
from dataclasses import dataclass

from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Change


@dataclass(frozen=True)
class SettingsStep:
    """These variables are kept, with these values."""

    store: SecretStore
    values: Mapping[str, str]
    what: str  # how messages call them

    def observe(self) -> Change | str:
        """Look which of them have another value; messages say their names, never their values."""
        differing = {name: value for name, value in self.values.items() if self.store.read(name) != value}
        if not differing:
            return f"{self.what}: in {self.store}"
        text = f"put {self.what} into {self.store} ({', '.join(differing)})"
        return Change(text, lambda: self.store.write(differing))
