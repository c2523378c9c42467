"""Names as parts of models; apart from bot/model/names.py, as pydantic takes long to import."""

from typing import Annotated

from pydantic import StringConstraints

from bot.model.names import ENVIRONMENT_PATTERN

Environment = Annotated[str, StringConstraints(pattern=ENVIRONMENT_PATTERN)]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
