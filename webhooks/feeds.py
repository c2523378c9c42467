"""What an environment tells those who do not look at its page: an Atom feed of its deployments, and a badge.

https://www.rfc-editor.org/rfc/rfc4287
"""

from collections.abc import Callable, Sequence
from xml.etree import ElementTree as Xml

from flask import Response, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from bot.model.names import short
from bot.output import escape_bidirectional
from bot.store.store import Store
from bot.store.tables import ENDED, Deployment
from webhooks.limits import FEED_DEPLOYMENTS, MAX_BADGE

_ATOM = "http://www.w3.org/2005/Atom"
_UNSAID = ("resolved", "superseded", "skipped")  # nothing came of them
# Of state marks on the pages, in light: white on each has a contrast of 4.5 or more.
_COLORS = {"succeeded": "#14602b", "failed": "#a30d25", "refused": "#a30d25"}
_OTHER_COLOR = "#4f5b66"


class Feeds:
    """The views of an environment's feed and badge."""

    def __init__(self, store: Store, is_registered: Callable[[str, str], bool]) -> None:
        """Tell of what `store` knows."""
        self._store = store
        self._is_registered = is_registered

    def atom(self, app: str, environment: str) -> BaseResponse:
        """Return `…/feed.atom`: the newest deployments that have ended. Raises NotFound."""
        self._check(app, environment)
        found = self._store.deployments.newest(FEED_DEPLOYMENTS, app, environment)
        said = [each for each in found if each.state in ENDED and each.state not in _UNSAID]
        text = _feed(app, environment, said)
        return self._answer(Response(text, content_type="application/atom+xml; charset=utf-8"))

    def badge(self, app: str, environment: str) -> BaseResponse:
        """Return `…/badge.svg`: what data is there, or that it failed. Raises NotFound."""
        self._check(app, environment)
        newest = self._store.deployments.newest(20, app, environment)
        ended = next((found for found in newest if found.state in ENDED and found.state not in _UNSAID), None)
        label, said = environment, badge_text(ended)
        left, right = _width(label), _width(said)
        color = _COLORS.get(ended.state if ended else "", _OTHER_COLOR)
        text = render_template(
            "badge.svg", label=label, said=said, left=left, right=right, width=left + right, color=color
        )
        return self._answer(Response(text, content_type="image/svg+xml; charset=utf-8"))

    def _check(self, app: str, environment: str) -> None:
        if not self._is_registered(app, environment):
            raise NotFound("there is no such environment")

    @staticmethod
    def _answer(response: Response) -> BaseResponse:
        """Have caches ask each time, as those of GitHub's images do, and answer that nothing is new."""
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        return response.make_conditional(request.environ)


def badge_text(ended: Deployment | None) -> str:
    """Return what a badge says of the newest deployment that has ended."""
    if ended is None:
        return "nothing yet"
    if ended.state != "succeeded":
        return ended.state
    rows = ended.rows
    text = "deployed" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"
    return text[:MAX_BADGE]


def _width(text: str) -> int:
    """Return about how wide a text is in the badge's font, in pixels, with room beside it."""
    return 10 + round(6.8 * len(text))


def _feed(app: str, environment: str, deployments: Sequence[Deployment]) -> bytes:
    Xml.register_namespace("", _ATOM)
    page = url_for("environment", app=app, environment=environment, _external=True)
    feed = Xml.Element(f"{{{_ATOM}}}feed")
    _add(feed, "id", page)
    _add(feed, "title", f"{environment} of {app}")
    _add(feed, "link", rel="alternate", href=page)
    _add(feed, "link", rel="self", href=request.base_url)
    updated = max((found.changed.isoformat() for found in deployments), default="1970-01-01T00:00:00+00:00")
    _add(feed, "updated", updated)
    _add(_add(feed, "author"), "name", "dppctl")
    for found in deployments:
        address = url_for("deployment", identity=found.id, _external=True)
        entry = _add(feed, "entry")
        _add(entry, "id", address)
        _add(entry, "title", f"{environment} {found.state}: {_first(found)}")
        _add(entry, "link", rel="alternate", href=address)
        _add(entry, "updated", found.changed.isoformat())
        _add(entry, "summary", " ".join(filter(None, [short(found.ref), found.commit[:12], found.subject])))
    text: bytes = Xml.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def _first(found: Deployment) -> str:
    return found.summary or (found.error or found.state).partition("\n")[0]


def _add(parent: Xml.Element, name: str, text: str = "", **attributes: str) -> Xml.Element:
    """Add an element; what XML cannot hold of a text is left out."""
    element = Xml.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    printable = "".join(char for char in text if char.isprintable())
    element.text = escape_bidirectional(printable) or None
    return element
