"""Settings about telling people what happened."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from bot.model.alerts import KINDS, AlertRules, Kind
from bot.settings.types import CommaSeparated, Section

_Addresses = Annotated[
    tuple[SecretStr, ...], BeforeValidator(lambda value: tuple(value.split()) if isinstance(value, str) else value)
]


class AlertSettings(Section):
    """Whom to tell, and of what."""

    # URLs of Apprise's, with spaces between them.
    addresses: _Addresses = Field((), validation_alias="DPPCTL_ALERTS")
    kinds: CommaSeparated[tuple[Kind, ...]] = Field(KINDS, validation_alias="DPPCTL_ALERTS_ON")
    change_percent: float = Field(20, validation_alias="DPPCTL_ALERTS_CHANGE_PERCENT", gt=0)
    silent_days: float = Field(0, validation_alias="DPPCTL_ALERTS_SILENT_DAYS", ge=0)  # 0: never

    @property
    def rules(self) -> AlertRules:
        """Return what people want to be told."""
        return AlertRules(frozenset(self.kinds), self.change_percent, self.silent_days)
