"""Pages for folders of a publication that have none, as a bucket shows nothing for a folder."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster.publisher.limits import MAX_LISTINGS
from cluster.publisher.shapes import PublicationItem
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.layout import SITE
from cluster.storage.listing import list_folder, render_listing


def add_listings(received: Path, items: Sequence[PublicationItem]) -> None:
    """Write an `index.html` into each folder without one, below `last`; in a site only into data packages.

    `received` has what is to be published, in `first` and `last`. Raises OSError.
    """
    whole = received / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    try:
        for part in ("first", "last"):
            shutil.copytree(received / part, whole, copy_function=os.link, dirs_exist_ok=True)
        storage = FolderStorage(whole)
        pages: dict[str, str] = {}
        for path in _folders_without(whole, items):
            if len(pages) < MAX_LISTINGS and (listing := list_folder(storage, path, folder_page=SITE)):
                pages[path] = render_listing(listing)
        for path, page in pages.items():
            file = received / "last" / path / SITE
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(page, encoding="utf-8")
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def _folders_without(whole: Path, items: Sequence[PublicationItem]) -> Iterator[str]:
    """Yield the folders that are to get a page, such as `committees/`."""
    sites = [item.path for item in items if item.kind == "site"]
    packages = [item.path for item in items if item.kind == "data package"]
    for folder, _, files in os.walk(whole):
        below = Path(folder).relative_to(whole).as_posix()
        path = "" if below == "." else f"{below}/"
        is_in_site = any(path.startswith(site) for site in sites)
        if SITE not in files and (not is_in_site or any(path.startswith(package) for package in packages)):
            yield path
