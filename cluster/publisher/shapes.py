"""What goes over the publisher's HTTP, and what it writes down of each publication."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cluster.publisher.limits import MAX_ITEMS, MAX_PUBLICATION_BYTES
from cluster.storage.layout import DESCRIPTOR, SITE, Prefix, PublishedPath

ItemKind = Literal["data package", "site"]
PublicationUid = Annotated[str, Field(pattern=r"^[0-9a-z-]{1,64}$")]
LimitBytes = Annotated[int, Field(gt=0, le=MAX_PUBLICATION_BYTES)]


def _check_prefix(text: str) -> str:
    return Prefix.parse(text).text if text else ""


StoragePrefix = Annotated[str, AfterValidator(_check_prefix)]


class DayLimit(BaseModel):
    """Whose publication it is, and how much that person may publish in 24 hours, all of it together."""

    model_config = ConfigDict(frozen=True)

    user: Annotated[str, Field(min_length=1, max_length=300)]
    bytes: Annotated[int, Field(ge=0)]


class CountedPublication(BaseModel):
    """What was published by somebody."""

    model_config = ConfigDict(frozen=True)

    uid: PublicationUid
    user: str
    bytes: int
    ended: float  # seconds of the epoch


class PublicationItem(BaseModel):
    """A data package, or a site, that a run wrote."""

    model_config = ConfigDict(frozen=True)

    kind: ItemKind
    source: Annotated[str, Field(max_length=2_000)]
    """As the user knows it: `data/committees`, `data/index.html`."""
    path: PublishedPath
    """Below the prefix: `committees/`; empty for all of it."""

    @property
    def descriptor(self) -> str:
        """Return the file that says what it is, below the prefix."""
        return self.path + (DESCRIPTOR if self.kind == "data package" else SITE)


class PublicationRequest(BaseModel):
    """What the publisher is asked to take from a worker. Without a prefix it only keeps it, for whoever asks for it."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    run: Annotated[str, Field(max_length=300)]
    uid: PublicationUid
    prefix: StoragePrefix
    worker: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,300}:[0-9]{1,5}$")]
    worker_token: Annotated[str, Field(min_length=1, max_length=1_000)]
    limit_bytes: LimitBytes
    day_limit: DayLimit | None = None
    items: Annotated[tuple[PublicationItem, ...], Field(min_length=1, max_length=MAX_ITEMS)]


class PublishedUrl(BaseModel):
    """Where an item is to be seen; an empty URL: nowhere, it is kept for whoever asks for it."""

    kind: ItemKind
    source: str
    url: str


class PublicationState(BaseModel):
    """How far a publication is; the answer to `GET /publications/UID`."""

    state: Literal["copying", "published", "failed"] = "copying"
    bytes: int = 0
    files: int = 0
    items: list[PublishedUrl] = []
    error: str | None = None


class PublicationRecord(BaseModel):
    """What is written down of a publication, so that a publisher that is started again goes on with it."""

    uid: PublicationUid
    prefix: StoragePrefix
    limit_bytes: LimitBytes
    day_limit: DayLimit | None = None
    release: str
    """Its release's id, if its prefix is a deployment's."""
    items: tuple[PublicationItem, ...] = ()
    worker: str = ""
    worker_token: str = ""
    is_received: bool = False
    ended: float | None = None  # seconds of the epoch
    state: PublicationState = PublicationState()

    @property
    def keeps_files(self) -> bool:
        """Return whether its files are needed: until its end, and after it when others are to fetch them."""
        return self.ended is None or (not self.prefix and self.state.state == "published")
