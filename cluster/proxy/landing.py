"""The page at `/` of a public cluster: what this is, how one begins, limits, rules, and who runs it. For everybody."""

import base64
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.errors import DppctlError
from bot.logs import get_logger
from cluster.limits import LANDING_SECONDS
from cluster.local import durations
from cluster.usage.limits_file import LimitValues, read_limits_file

SOURCE = "https://github.com/OriHoch/dppctl"
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_TEMPLATES = Path(__file__).parent / "templates"

_log = get_logger("dppctl.proxy")


@dataclass(frozen=True)
class PublicAbout:
    """What a public cluster says of itself, besides its name and version."""

    url: str  # of its proxy, https://HOST
    operator: str  # who runs it
    contact: str  # for complaints: an address of mail, or https://…
    keep_days: int = 0  # after which what runs published is removed; 0: never
    limits_file: Path | None = None


class LandingPage:
    """`GET /`. The limits' file is read again now and then; while it is broken, what it said before holds."""

    def __init__(self, name: str, version: str, about: PublicAbout) -> None:
        """`name`: of the cluster; `version`: of dppctl. Raises DppctlError for limits that are none."""
        self._name, self._version, self._about = name, version, about
        style = (_TEMPLATES / "landing.css").read_text(encoding="utf8")
        environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
        self._template, self._style = environment.get_template("landing.html"), Markup(style)  # noqa: S704 (our own)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        # Nothing from elsewhere, no script, no form, and no style but this one.
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"
        self._headers = {
            "Content-Security-Policy": f"{policy}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": f"public, max-age={LANDING_SECONDS:.0f}",
        }
        self._text, self._made = self._render(), time.monotonic()

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get("/", self.show)]

    async def show(self, _: web.Request) -> web.Response:
        """Answer with the page."""
        if time.monotonic() - self._made > LANDING_SECONDS:
            self._made = time.monotonic()
            try:
                self._text = self._render()
            except DppctlError as error:
                _log.warning("limits are as before on the page", why=str(error))
        return web.Response(text=self._text, content_type="text/html", charset="utf-8", headers=self._headers)

    def _render(self) -> str:
        about = self._about
        return self._template.render(
            style=self._style,
            name=self._name,
            version=self._version,
            url=about.url,
            limits=limit_lines(read_limits_file(about.limits_file).default),
            keep_days=about.keep_days,
            operator=about.operator,
            contact=about.contact,
            contact_link=about.contact if "://" in about.contact else f"mailto:{quote(about.contact, safe='@')}",
            source=SOURCE,
        )


def limit_lines(limits: LimitValues) -> list[tuple[str, str]]:
    """Return each limit of a person, and how much it is, for people."""
    return [
        ("Runs at a time", _count(limits.runs)),
        ("Runs that wait for a worker", _count(limits.pending_runs)),
        ("Databases at a time", _count(limits.databases)),
        ("Time of one run", _time(limits.run_seconds)),
        ("Time of all runs in 24 hours", _time(limits.worker_hours, 3600)),
        ("Files of one run, packed", _size(limits.upload_bytes)),
        ("Published in 24 hours", _size(limits.published_bytes)),
        ("Terminals (dppctl ssh) in 24 hours", _time(limits.ssh_minutes, 60)),
        ("Requests a minute", _count(limits.calls_per_minute)),
    ]


def _count(limit: float | None) -> str:
    return "no limit" if limit is None else f"{limit:,.0f}"


def _time(limit: float | None, seconds: float = 1) -> str:
    return "no limit" if limit is None else durations.spoken(limit * seconds)


def _size(limit: float | None) -> str:
    if limit is None:
        return "no limit"
    power = min(max(int(limit).bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{limit / 1024**power:,.4g} {_UNITS[power]}"
