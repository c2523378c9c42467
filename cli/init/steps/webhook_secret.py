"""The secret that the receiver and GitHub share; on the way to another one there are two, the new one last."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Change

VARIABLE = "DPPCTL_WEBHOOK_SECRETS"


def kept_secrets(store: SecretStore) -> list[str]:
    """Return the webhook secrets that are kept, the newest last."""
    return [secret for secret in (store.read(VARIABLE) or "").split(",") if secret]


def new_secret() -> str:
    """Return a secret that nobody has yet."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class WebhookSecretStep:
    """The receiver has a webhook secret; `rotate`: a new one besides."""

    store: SecretStore
    has_webhook: Callable[[], bool]
    rotate: bool = False

    def observe(self) -> Change | str:
        """Look how many secrets are kept. What they are is shown to nobody."""
        kept = kept_secrets(self.store)
        if len(kept) > 1:
            return f"a new webhook secret is in {self.store}, beside the old one"
        if kept and not self.rotate:
            return f"the webhook's secret is in {self.store}"
        if not kept and self.has_webhook():
            return f"no webhook secret is in {self.store}: the webhook gets a new one"  # there, before it is kept
        text = f"put a new webhook secret into {self.store}"
        return Change(f"{text}, beside the old one" if kept else text, lambda: self._make(kept))

    def _make(self, kept: list[str]) -> None:
        self.store.write({VARIABLE: ",".join([*kept, new_secret()])})
