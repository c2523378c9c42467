"""What is in a folder, for people and as JSON: names, or the data package that it holds.

A page needs nothing but itself: no script, and no file beside it; its links are relative. So the publisher can write
it as `index.html` into a bucket, where it reads as it does here.
"""

from base64 import b64encode
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from cluster.storage.backend import FolderContents, StorageBackend, split_path
from cluster.storage.package import PackageDescription, describe_package

_templates = Environment(
    loader=PackageLoader("cluster.storage"), autoescape=True, trim_blocks=True, undefined=StrictUndefined
)
_STYLE = _templates.get_template("listing.css").render()
# Of pages that we make: their own style, and nothing else.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; sandbox allow-popups allow-downloads"
)


@dataclass(frozen=True)
class Listing:
    """A folder: its names, from the top down, what is in it, and its data package."""

    names: tuple[str, ...]
    contents: FolderContents
    package: PackageDescription | None
    folder_page: str = ""  # what the address of a folder ends with, where a folder alone shows nothing: `index.html`


def list_folder(
    storage: StorageBackend, path: str, names: tuple[str, ...] = (), folder_page: str = ""
) -> Listing | None:
    """Return the listing of a folder (`committees/`) in a storage; None when there is no such folder.

    `names`: of the folders that the storage itself is in. Raises StorageUnreachableError and OSError.
    """
    contents = storage.folder(path)
    if contents is None:
        return None
    return Listing((*names, *(split_path(path) or ())), contents, describe_package(storage, path), folder_page)


def render_listing(listing: Listing) -> str:
    """Return the page (HTML) of a folder."""
    count = len(listing.names)
    crumbs = [(name, "../" * (count - 1 - number) + listing.folder_page) for number, name in enumerate(listing.names)]
    entries = [
        (entry, f"./{quote(entry.name)}" + (f"/{listing.folder_page}" if entry.is_folder else ""))
        for entry in listing.contents.entries
    ]
    return _templates.get_template("listing.html").render(
        style=_STYLE,
        title=_title(listing),
        crumbs=crumbs[:-1],
        top="../" * count + listing.folder_page if count else "",
        entries=entries,
        has_more=listing.contents.has_more,
        package=listing.package,
    )


def listing_json(listing: Listing) -> dict[str, Any]:
    """Return the same as JSON has it; times are UTC."""
    entries = [
        {
            "name": entry.name,
            "url": f"./{quote(entry.name)}{'/' if entry.is_folder else ''}",
            "kind": "folder" if entry.is_folder else "file",
            "bytes": entry.bytes,
            "modified": entry.modified and entry.modified.isoformat(timespec="seconds"),
        }
        for entry in listing.contents.entries
    ]
    return {
        "path": "".join(f"{name}/" for name in listing.names),
        "entries": entries,
        "has_more": listing.contents.has_more,
        "package": listing.package and asdict(listing.package),
    }


def render_message(title: str, text: str) -> str:
    """Return a page (HTML) that says one thing, such as that there is no such page."""
    return _templates.get_template("message.html").render(style=_STYLE, title=title, text=text)


def _title(listing: Listing) -> str:
    package = listing.package
    found = (package.title or package.name) if package else ""
    return found.strip("_ ") or (listing.names[-1] if listing.names else "Published")


def _size(count: int | None) -> str:
    """Return how much that is, as people read it: https://physics.nist.gov/cuu/Units/binary.html."""
    if count is None:
        return ""
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{size:.3g} {units[0]}" if size < 999.5 else f"{size:.0f} {units[0]}"


_templates.filters["size"] = _size
