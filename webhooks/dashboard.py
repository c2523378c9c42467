"""Show how each deployment went, and what an environment has, had, and was asked for; `webhooks.overview` shows `/`.

It is rendered here and readable without JavaScript; `static/dppctl.js` keeps an open page new.
"""

import re
from collections.abc import Set

from flask import Flask, Response, jsonify, redirect, url_for
from markupsafe import Markup, escape
from werkzeug.exceptions import NotFound

from bot.errors import DppctlError
from bot.model.acts import PAST
from bot.model.names import RepoPath, short
from bot.model.registration import Target, registered_for
from bot.output import escape_bidirectional
from bot.settings import Settings
from bot.store.store import Store
from bot.store.tables import Deployment
from webhooks.run_charts import resource_chart, run_charts
from webhooks.times import ago, took

_URL = re.compile(r"https?://(?:&amp;|[^\s&])*(?:&amp;|[^\s&.,;:)])")  # in escaped text, where quotes are &#34;


class Pages:
    """The views for people."""

    def __init__(self, settings: Settings, targets: Set[Target], store: Store) -> None:
        """Show the deployments of `targets` that `store` knows."""
        self._targets = sorted(targets)
        self._store = store
        self._settings = settings

    def add_filters(self, app: Flask) -> None:
        """Give the templates the filters and functions that they use; what they show is escaped."""
        app.jinja_env.finalize = _shown
        app.jinja_env.filters["short"] = short
        app.jinja_env.filters.update(links=links, ago=ago, took=took)
        app.jinja_env.filters["first_line"] = lambda text: text.partition("\n")[0][:200]
        app.jinja_env.globals.update(run_charts=run_charts, resource_chart=resource_chart)
        app.jinja_env.globals["commit_url"] = self._commit_url
        app.jinja_env.globals["past_of"] = lambda act: PAST.get(act, act)

    def is_registered(self, app: str, environment: str) -> bool:
        """Return whether apps.yaml registers an environment of an app."""
        return bool(registered_for(app, environment, self._targets))

    def newest(self, app: str, environment: str, commit: str) -> Response:
        """Redirect `/apps/OWNER/REPO/PATH/ENVIRONMENT/COMMIT`, which an ops commit links to, to its deployment."""
        found = self._store.deployments.newest(1, app, environment, commit)
        if not found:
            raise NotFound("there is no such deployment")
        return redirect(url_for("deployment", identity=found[0].id))  # type: ignore[return-value]

    def log(self, identity: int) -> Response:
        """Return `/deployments/ID/log.txt`."""
        self.find(identity)
        log = escape_bidirectional(self._store.deployments.log(identity))
        return Response(log, content_type="text/plain; charset=utf-8")

    def receipt(self, identity: int) -> Response:
        """Return `/deployments/ID/receipt.json`."""
        receipt = self.find(identity).receipt
        if receipt is None:
            raise NotFound("this deployment has no receipt (yet)")
        return jsonify(receipt)

    def find(self, identity: int) -> Deployment:
        """Return a deployment with its events. Raises NotFound."""
        # SQL's integers end somewhere, Python's do not.
        found = self._store.deployments.get(identity) if identity < 2**31 else None
        if found is None:
            raise NotFound("there is no such deployment")
        return found

    def app_of(self, identity: int) -> str:
        """Return the app of a deployment. Raises NotFound."""
        found = self._store.deployments.app_of(identity) if identity < 2**31 else None
        if found is None:
            raise NotFound("there is no such deployment")
        return found

    def _commit_url(self, app: str, commit: str) -> str | None:
        """Return GitHub's address of a commit; None when it does not come from the web, or is nobody's."""
        try:
            return self._settings.github.commit_url(RepoPath.parse(app).repository, commit)
        except DppctlError:  # an older version recorded what a report named
            return None


def _shown(value: object) -> object:
    """Return what a template shows for a value: https://jinja.palletsprojects.com/en/stable/api/#jinja2.Environment."""
    if isinstance(value, Markup):
        return Markup(escape_bidirectional(value))  # noqa: S704 (it is escaped, or our own)
    return escape_bidirectional(value) if isinstance(value, str) else value


def links(text: str) -> Markup:
    """Return a text with its URLs as links. Jinja's own filter takes the names of images for URLs too."""
    return Markup(_URL.sub(r'<a href="\g<0>" rel="noopener">\g<0></a>', str(escape(text))))  # noqa: S704 (it is escaped)
