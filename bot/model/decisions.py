"""What the bot decides, as plain data."""

from dataclasses import dataclass
from datetime import datetime

from bot.model.app_config import Action, AppConfig
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Values


@dataclass(frozen=True)
class Ref:
    """A branch or tag: its full name, the commit it names, and when that commit or tag was made (unix time)."""

    name: str
    commit: str
    created: int


@dataclass(frozen=True)
class RefState:
    """A ref, and the app's `.dppctl.yaml` at its commit: the config, why it is refused, or None without one."""

    ref: Ref
    config: AppConfig | str | None
    appeared: datetime | None = None  # of a tag: when it was first seen at this commit


@dataclass(frozen=True)
class Choice:
    """This ref is what the environment should run."""

    target: Target
    ref: Ref
    action: Action


@dataclass(frozen=True)
class Refusal:
    """What was asked for cannot or may not be done; the message is for the one who pushed."""

    app: RepoPath
    environment: str  # "" when the whole `.dppctl.yaml` is refused
    ref: Ref
    message: str


@dataclass(frozen=True)
class Skip:
    """What would be deployed is not, because somebody said so; the message tells how."""

    app: RepoPath
    environment: str
    ref: Ref
    message: str


@dataclass(frozen=True)
class Update:
    """The ops repo should hold these values and does not yet."""

    target: Target
    values: Values

    @property
    def ref(self) -> Ref:
        """What it deploys."""
        return Ref(self.values.source.ref, self.values.source.commit, 0)


@dataclass(frozen=True)
class Same:
    """The environment runs these very files already, from another commit."""

    target: Target
    message: str
