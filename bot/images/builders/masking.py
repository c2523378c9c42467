"""What a build's log must not show: the contents of its secrets, in the forms in which a RUN may print them. Pure."""

import base64
from collections.abc import Iterator
from urllib.parse import quote

from bot.images.builders.interface import Order

_SHORTEST = 4  # characters of a line, or of a piece in base64, that are masked: `}` or `==` alone say nothing
_COLUMNS = (76, 64)  # of `base64` and of `openssl base64`


def masked(order: Order) -> list[str]:
    """Return the texts to mask: each secret, its lines, and the same in base64 and in URLs. Reads the files."""
    found: set[str] = set()
    for file in order.secrets.values():
        found.update(_forms(file.read_bytes()))
    return sorted(found)


def _forms(content: bytes) -> Iterator[str]:
    whole = content.strip()
    if not whole:
        return
    lines = [line.strip() for line in whole.splitlines()]
    if len(lines) == 1:
        yield whole.decode(errors="replace")  # of however many characters
    for line in lines:
        if len(line) >= _SHORTEST:
            text = line.decode(errors="replace")
            yield from (text, quote(text, safe=""))
            yield from _inside_base64(line)
    for shown in (content, whole, whole + b"\n"):
        text = base64.b64encode(shown).decode()
        yield text
        for columns in _COLUMNS:
            pieces = (text[at : at + columns] for at in range(0, len(text), columns))
            yield from (piece for piece in pieces if len(piece) > _SHORTEST)


def _inside_base64(text: bytes) -> Iterator[str]:
    """Yield what base64 of anything that holds the text has in it: it depends on how many bytes are before it."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text)
        sure = encoded[(0, 2, 3)[before] : (len(text) + before) * 8 // 6]
        if len(sure) >= _SHORTEST:
            yield sure.decode()
            yield sure.translate(bytes.maketrans(b"+/", b"-_")).decode()
