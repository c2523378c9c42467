"""What is true of an app at one moment, as plain data: what `observe` reads and `decide` decides from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.limits import MAX_COMMIT_WORDS
from bot.model.app_config import AppConfig
from bot.model.decisions import CommitFacts, Ref
from bot.model.names import RepoPath
from bot.model.pipeline_specs import Specs
from bot.model.previews import PreviewRules
from bot.model.registration import Target
from bot.model.values import Compared, Values
from bot.output import one_line


@dataclass(frozen=True)
class RefState:
    """A branch or tag of the app's repository.

    created: when its commit, or the tag itself, was made, in unix time; config: `.dppctl.yaml` at its commit, why that
    is refused, or None without the file; appeared: when a tag was first seen at this commit; pushed: when a branch was
    last pushed, of an app that has previews.
    """

    ref: Ref
    created: int
    config: AppConfig | str | None
    appeared: datetime | None = None
    pushed: datetime | None = None


@dataclass(frozen=True)
class CommitState:
    """The app at a commit that is to be deployed.

    specs: its pipelines, or why they are refused; tree: the id that git gives to the files in the app's folder, ""
    without such a folder; message: the commit's; author: its author's name.
    """

    config: AppConfig
    specs: Specs | str
    tree: str
    message: str
    has_dockerfile: bool
    author: str = ""

    @property
    def facts(self) -> CommitFacts:
        """Return what is kept of the commit with its deployments."""
        subject = self.message.strip().partition("\n")[0]
        return CommitFacts(self.tree, one_line(subject, MAX_COMMIT_WORDS), one_line(self.author, MAX_COMMIT_WORDS))


@dataclass(frozen=True)
class TreeRun:
    """A deployment of some files to an environment, by its number in the store.

    state: of bot.store.tables; has_ended: nothing changes it any more.
    """

    id: int
    state: str
    has_ended: bool


@dataclass(frozen=True)
class HoldState:
    """An environment to which nothing is deployed automatically.

    until_ref, until_tree: what would have been deployed when it was held; the hold ends when that is something else.
    ops_commit: the change by others that it is held for; the hold ends with that. None of them: a person ends it.
    """

    reason: str
    until_ref: str | None = None
    until_tree: str | None = None
    ops_commit: str | None = None

    @property
    def is_by_person(self) -> bool:
        """Return whether a person set it, so that nothing but a person ends it."""
        return self.until_ref is None and self.ops_commit is None


@dataclass(frozen=True)
class ForeignChange:
    """A commit of the ops repo that is not the bot's, and changed a file that only the bot is to write.

    author, subject: one printable line each, of a commit that anybody may have made.
    """

    ops_commit: str
    author: str
    subject: str


@dataclass(frozen=True)
class TargetState:
    """What the ops repo holds for an environment.

    values: None without the file, or when it is not as the bot writes it; tree: the id of the app's files at the
    commit that the values name, "" when that is not known; is_lost: that commit is gone for good; changed: by whom the
    file was changed last, when that was not the bot, and the bot would write it anew; is_written: there is such a file.
    """

    values: Values | None
    tree: str = ""
    hold: HoldState | None = None
    is_lost: bool = False
    changed: ForeignChange | None = None
    is_written: bool = True


@dataclass(frozen=True)
class AppState:
    """An app: its refs, the environments whose ops repo could be read, and the commits that these should run.

    allowed: the registration of the app; baseline: tags that are not deployed by themselves;
    left_out: why other branches and tags cannot be deployed, by their full names; untrusted: why refs that these
    environments should run are not deployed, as their signatures do not count; previews: None without previews; data:
    what the environments have that others are compared with, by name, as far as they have any; ran: for environments
    that others wait for (`after:`), and the trees of what waits, the deployments of these files there, newest first;
    held: why environments are held, also those of other ops repos.
    """

    app: RepoPath
    allowed: frozenset[Target]
    refs: tuple[RefState, ...]
    baseline: frozenset[Ref] = frozenset()
    targets: Mapping[Target, TargetState] = field(default_factory=dict)
    commits: Mapping[str, CommitState] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    untrusted: Mapping[Ref, str] = field(default_factory=dict)
    previews: PreviewRules | None = None
    data: Mapping[str, Compared] = field(default_factory=dict)
    ran: Mapping[tuple[str, str], Sequence[TreeRun]] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
