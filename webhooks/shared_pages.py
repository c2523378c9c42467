"""Pages whose inside many people look at: it is made once for all to whom it is the same, and shown inside the frame.

After a change every live page asks for itself again at about the same time; most of what they get is the same.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import current_app, render_template, request
from markupsafe import Markup

from webhooks.limits import SHARED_PAGES, SHARED_SECONDS


@dataclass(frozen=True)
class SharedPage:
    """What a page shows of its subject. `feed`: the address of its Atom feed."""

    title: str
    main: Markup
    feed: str = ""


@dataclass
class _Kept:
    making: threading.Lock = field(default_factory=threading.Lock)
    page: SharedPage | None = None


class SharedPages:
    """The newest pages, by what they show."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._kept: OrderedDict[tuple[int, Hashable], _Kept] = OrderedDict()  # by change number and what else
        self._keeping = threading.Lock()

    def show(self, change: int, shown: Hashable, make: Callable[[], SharedPage]) -> str:
        """Return a page of the change number `change`, made by `make` unless one was a moment ago.

        `shown`: all that the page depends on, but what the change number counts, the time, and how it was asked for.
        """
        moment = int(datetime.now(UTC).timestamp() / SHARED_SECONDS)  # the page says how long ago things were
        key = change, (shown, moment, request.full_path, request.host_url, request.script_root)
        with self._keeping:
            for old in [old for old in self._kept if old[0] < change]:
                del self._kept[old]
            kept = self._kept.setdefault(key, _Kept())
            while len(self._kept) > SHARED_PAGES:
                self._kept.popitem(last=False)
        with kept.making:  # those who ask at the same time wait for one making
            page = kept.page = kept.page or make()
        return render_template("shared.html", change=change, page=page)


def render_main(template: str, **values: object) -> Markup:
    """Return what a template of a page's inside makes of values."""
    current_app.update_template_context(values)
    return Markup(current_app.jinja_env.get_template(template).render(values))  # noqa: S704 (it escapes)
