"""Secrets that nobody needs to know: the servers show them to each other."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Change


@dataclass(frozen=True)
class NewSecretsStep:
    """Each of these variables has a value, whatever it is."""

    store: SecretStore
    variables: Sequence[str]
    what: str  # how messages call them

    def observe(self) -> Change | str:
        """Look which of them are missing; a change makes those."""
        missing = [name for name in self.variables if not self.store.read(name)]
        if not missing:
            return f"{self.what}: in {self.store}"
        values = {name: secrets.token_hex(24) for name in missing}
        return Change(f"make {self.what} in {self.store} ({', '.join(missing)})", lambda: self.store.write(values))
