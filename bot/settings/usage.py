"""Settings about who may use how much: of the usage server, and of what asks it."""

from pydantic import Field, SecretStr

from bot.settings.runs import Listen
from bot.settings.types import ExistingFile, Section, WebUrl


class UsageSettings(Section):
    """Limits of people, and the log of what they do."""

    listen: Listen = Field("127.0.0.1:8093", validation_alias="DPPCTL_USAGE_LISTEN")
    # Where the other servers reach it. Left out: nobody is kept to limits, and nothing is logged there.
    url: WebUrl = Field("", validation_alias="DPPCTL_USAGE_URL")
    # By what the other servers are known to it.
    token_file: ExistingFile = Field(None, validation_alias="DPPCTL_USAGE_TOKEN_FILE")
    given_database_url: SecretStr = Field(SecretStr(""), validation_alias="DPPCTL_USAGE_DATABASE_URL")
    # Who may use how much, and who nothing. Left out: the limits to start with, for all.
    limits_file: ExistingFile = Field(None, validation_alias="DPPCTL_USAGE_LIMITS_FILE")
