"""What the bot decides, as plain data."""

from dataclasses import dataclass, field

from bot.model.acts import Act
from bot.model.config_action import Selection
from bot.model.expectations import Expectation
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Values


@dataclass(frozen=True)
class Ref:
    """A branch or tag by its full name, or a commit by its id, and the commit that it names."""

    name: str
    commit: str


@dataclass(frozen=True)
class CommitFacts:
    """What is kept of a commit with its deployments.

    tree: the id that git gives to the app's files, "" when it is not known; subject, author: one printable line each.
    """

    tree: str
    subject: str = ""
    author: str = ""


@dataclass(frozen=True)
class Choice:
    """A ref that an environment should run, which of its pipelines, and what is expected of the data.

    preview: what a preview is compared with.
    """

    target: Target
    ref: Ref
    pipelines: Selection
    preview: str | None = None
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """What was asked for cannot or may not be done; the message is for the person who pushed."""

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
    is_news: bool = True  # no: the environment runs what a person wants there


@dataclass(frozen=True)
class SameFiles:
    """The environment runs these very files already, as another ref or commit."""

    target: Target
    ref: Ref
    message: str


@dataclass(frozen=True)
class GateWait:
    """What would be deployed waits until its files have run well in the environment `gate` (`after:`)."""

    target: Target
    ref: Ref
    gate: str
    message: str
    facts: CommitFacts = field(default=CommitFacts(""), compare=False)


@dataclass(frozen=True)
class UpToDate:
    """The environment runs what it should: what was refused or skipped for it before is nobody's concern any more."""

    target: Target


@dataclass(frozen=True)
class BeginHold:
    """Somebody else than the bot changed what the environment has, by a commit of the ops repo: it is held for that."""

    target: Target
    reason: str
    ops_commit: str
    author: str


@dataclass(frozen=True)
class EndHold:
    """The environment was held for something that is over: something else is due, or nobody's change stands there."""

    target: Target


@dataclass(frozen=True)
class AskedBy:
    """Who asked for an update, and why; request: its number.

    origin: the ops commit that brought these values before, when it is to be gone back to; runs: its pipelines run
    again, and what it left is not taken; accepts: the data is taken as it is, whatever is expected of it.
    """

    act: Act
    by: str  # PROVIDER:SUBJECT
    login: str | None
    reason: str
    request: int
    origin: str = ""
    runs: bool = True
    accepts: bool = False


@dataclass(frozen=True)
class Update:
    """The ops repo should hold these values and does not yet.

    deliveries: ids of those that it is done for; note: what people should know of it, "" for nothing; asked: None when
    the bot found by itself that it is due; facts: of its commit, None: they are not known.
    """

    target: Target
    values: Values
    deliveries: tuple[str, ...] = field(default=(), compare=False)
    note: str = field(default="", compare=False)
    asked: AskedBy | None = field(default=None, compare=False)
    facts: CommitFacts | None = field(default=None, compare=False)

    @property
    def ref(self) -> Ref:
        """Return the ref that it deploys."""
        return Ref(self.values.source.ref, self.values.source.commit)


@dataclass(frozen=True)
class Removal:
    """A preview is to go, with its data: the ops repo should not name it any more. `ref`: what it runs."""

    target: Target
    ref: Ref
    reason: str
    deliveries: tuple[str, ...] = field(default=(), compare=False)


Written = Update | Removal  # what is written to an ops repo
Decision = Refusal | Skip | SameFiles | GateWait | UpToDate | BeginHold | EndHold | Update | Removal
