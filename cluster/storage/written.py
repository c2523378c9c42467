"""What a worker says that its pipelines wrote, in its event `written` (worker/publication.py).

User code may write that event too, so nothing of it is believed before it is read here. Without pydantic, which
`dppctl run` on one machine would have to import for this alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self, cast

from cluster.errors import ClusterError
from cluster.limits import MAX_WRITTEN_ITEMS, MAX_WRITTEN_PATH

Kind = Literal["data package", "site"]
_SITE_PAGE = "index.html"


@dataclass(frozen=True)
class WrittenItem:
    """A data package or a site."""

    kind: Kind
    source: str
    """Below the workload: `data/committees`, `data/index.html`."""
    path: str
    """Below where the run is published: `committees/`; empty for all of it."""

    @classmethod
    def read(cls, told: Any) -> Self:
        """Return the item that the fields of an event make. Raises ClusterError for what no worker writes."""
        fields = told if isinstance(told, Mapping) else {}
        kind, source, path = (str(fields.get(name, "")) for name in ("kind", "source", "path"))
        item = cls(cast(Kind, kind), source, path)
        if reason := item._problem():
            raise ClusterError(f"nothing is published: the worker says that it wrote {source[:200]!r}, but {reason}")
        return item

    @property
    def folder(self) -> PurePosixPath:
        """Return the folder that is published, below the workload."""
        source = PurePosixPath(self.source)
        return source.parent if self.kind == "site" else source

    def _problem(self) -> str:
        source = PurePosixPath(self.source)
        if self.kind not in ("data package", "site") or (self.kind == "site" and source.name != _SITE_PAGE):
            return "that is neither a data package nor a site"
        is_odd = self.source != source.as_posix() or source.is_absolute() or ".." in source.parts
        if is_odd or len(self.source) > MAX_WRITTEN_PATH:
            return "that is no path below the workload"
        if any(part.startswith(".") for part in source.parts):
            return "nothing hidden is published"
        # `data` of a spec's folder, which may lie in another folder of that name.
        parts = self.folder.parts
        places = [number for number, part in enumerate(parts) if part == "data"]
        if self.path not in {"".join(f"{part}/" for part in parts[:at] + parts[at + 1 :]) for at in places}:
            return "that is not in `data` of a spec's folder"
        return ""


@dataclass(frozen=True)
class WrittenItems:
    """The event."""

    items: tuple[WrittenItem, ...] = ()
    left_out: tuple[str, ...] = ()
    """What is not published, as a pipeline that did not succeed wrote it."""

    @classmethod
    def read(cls, event: Mapping[str, Any]) -> Self:
        """Return what an event says. Raises ClusterError when no worker that works as it should writes that."""
        items, left_out = event.get("items") or [], event.get("left_out") or []
        if not isinstance(items, list) or not isinstance(left_out, list):
            raise ClusterError("nothing is published: what the worker says that it wrote is no list")
        if len(items) + len(left_out) > MAX_WRITTEN_ITEMS:
            raise ClusterError(
                f"nothing is published: more than {MAX_WRITTEN_ITEMS:,} data packages were written; publish fewer,"
                " such as one with more resources"
            )
        return cls(tuple(map(WrittenItem.read, items)), tuple(str(source) for source in left_out))

    def joined(self, newer: "WrittenItems", workload: Path) -> "WrittenItems":
        """Return what is published of this, as far as it still is in the workload, and of what was written later."""
        still = (item for item in self.items if (workload / item.folder).is_dir())
        return WrittenItems(tuple(dict.fromkeys((*still, *newer.items))), newer.left_out)


NOTHING_WRITTEN = WrittenItems()
