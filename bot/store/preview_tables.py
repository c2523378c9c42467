"""The tables of previews, which branches have of their own."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.tables import Base


class SeenBranch(Base):
    """When a branch was last pushed, of the repositories whose branches may have previews."""

    __tablename__ = "branches_seen"

    repository: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)  # refs/heads/…
    commit: Mapped[str]  # where it is
    pushed: Mapped[datetime]


class Preview(Base):
    """A branch's environment, and the comment about it on the branch's pull request."""

    __tablename__ = "previews"

    app: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    ops: Mapped[str]  # OWNER/REPO[/PATH]
    ref: Mapped[str]  # refs/heads/…
    compared: Mapped[str | None]  # the environment that its data is compared with
    since: Mapped[datetime]
    gone: Mapped[datetime | None] = mapped_column(index=True)  # since when it is not there any more
    reason: Mapped[str | None]  # why it is gone
    pull_request: Mapped[int | None]  # its number, once the branch has one
    comment_id: Mapped[int | None] = mapped_column(BigInteger)
    comment_digest: Mapped[str | None]  # of the text that the comment has
