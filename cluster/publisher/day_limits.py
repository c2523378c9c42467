"""How much each person published in 24 hours, as the publisher counted it: so a limit holds for what is side by side.

Whoever asks for a publication knows how much its person had left some time ago; others of the same person were
published since, or are just being published. A file has a line for each publication, until it is a day old.
"""

import os
from pathlib import Path

from pydantic import ValidationError

from bot.logs import get_logger
from cluster.publisher.limits import DAY_SECONDS
from cluster.publisher.shapes import CountedPublication

_log = get_logger("dppctl.publisher")


class PublishedBytes:
    """What was published in a day, by person."""

    def __init__(self, file: Path, now: float) -> None:
        """Read the file, and leave out what is older. Raises OSError."""
        self._file = file
        self._counted: dict[str, CountedPublication] = {}
        for line in file.read_bytes().splitlines() if file.exists() else []:
            if not line:
                continue
            try:
                found = CountedPublication.model_validate_json(line)
            except ValidationError:  # the last line of a publisher that was killed
                _log.warning("a line of what was published is left out", file=str(file))
                continue
            self._counted[found.uid] = found
        self.forget_old(now)

    def add(self, counted: CountedPublication) -> None:
        """Count a publication; the same one again counts once. Raises OSError."""
        if counted.uid not in self._counted:
            with self._file.open("ab") as file:
                file.write(b"\n" + counted.model_dump_json().encode() + b"\n")  # behind half a line, too
            self._counted[counted.uid] = counted

    def of(self, user: str, now: float) -> int:
        """Return the bytes of a person in the last 24 hours."""
        since = now - DAY_SECONDS
        return sum(each.bytes for each in self._counted.values() if each.user == user and each.ended > since)

    def forget_old(self, now: float) -> None:
        """Leave out what is older than a day, in the file too. Raises OSError."""
        since = now - DAY_SECONDS
        kept = {uid: each for uid, each in self._counted.items() if each.ended > since}
        if len(kept) < len(self._counted) or not self._file.exists():
            part = self._file.with_name(f"{self._file.name}.part")
            part.write_text("".join(f"{each.model_dump_json()}\n" for each in kept.values()), encoding="utf-8")
            os.replace(part, self._file)
        self._counted = kept
