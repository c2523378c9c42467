"""What the publisher has on its scratch volume: a record and the received files of each publication.

records/UID.json    with the worker's token while it is needed, so rclone's container does not see this folder
published.jsonl     what each person published in the last 24 hours
files/UID/          what was received: `first`, and `last`, the descriptors
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from bot.logs import get_logger
from cluster.publisher.shapes import PublicationRecord

_log = get_logger("dppctl.publisher")


class PublicationFolder:
    """The scratch volume."""

    def __init__(self, folder: Path) -> None:
        """Make the folders. Raises OSError."""
        self._records, self._files = folder / "records", folder / "files"
        self.counted = folder / "published.jsonl"
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files.mkdir(parents=True, exist_ok=True)

    def load(self) -> list[PublicationRecord]:
        """Return the records, and remove files that none of them needs."""
        found = []
        for file in self._records.glob("*.json"):
            try:
                found.append(PublicationRecord.model_validate_json(file.read_bytes()))
            except ValidationError as error:  # of another version; whoever asked asks again
                _log.warning("record removed", file=file.name, error=error)
                file.unlink()
        # A publisher that was killed when it had written an end had not removed the files.
        known = {record.uid for record in found if record.keeps_files}
        for folder in self._files.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder)
        return found

    def files(self, uid: str) -> Path:
        """Return the folder of a publication's files; it may not be there."""
        return self._files / uid

    def write(self, record: PublicationRecord) -> None:
        """Write a record, readable for the publisher alone."""
        part = self._records / f".{record.uid}.part"
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(record.model_dump_json())
        os.replace(part, self._records / f"{record.uid}.json")

    def remove_files(self, uid: str) -> None:
        """Remove what was received."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._files / uid)

    def remove(self, uid: str) -> None:
        """Remove all of a publication."""
        self.remove_files(uid)
        (self._records / f"{uid}.json").unlink(missing_ok=True)
