"""The receiver with a WSGI function in front of Flask for deliveries, to measure what Flask costs them.

Nothing of dppctl uses this: `benchmarks/receiver.py` runs it beside the receiver as it is.
"""

import json
import os
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

from bot.logs import configure
from bot.model.registration import REGISTRATION_FILE, read_registration
from bot.settings import load_settings
from bot.store.store import Store
from webhooks.app import create_app
from webhooks.receive import PATH, DeliveryReceiver

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def application() -> "WSGIApplication":
    """Return the application; the configuration's folder is in DPPCTL_CONFIG, as for webhooks.wsgi."""
    config = Path(os.environ["DPPCTL_CONFIG"])
    settings = load_settings(config)
    configure(settings.all_secrets)
    targets, store = read_registration(config / REGISTRATION_FILE), Store(settings.database_url)
    flask = create_app(settings, targets, store).wsgi_app
    receiver = DeliveryReceiver(settings, targets, store)

    def respond(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH:
            return flask(environ, start_response)
        headers = {
            "X-GitHub-Delivery": environ.get("HTTP_X_GITHUB_DELIVERY", ""),
            "X-GitHub-Event": environ.get("HTTP_X_GITHUB_EVENT", ""),
            "X-Hub-Signature-256": environ.get("HTTP_X_HUB_SIGNATURE_256", ""),
            "Content-Type": environ.get("CONTENT_TYPE", ""),
        }
        body = get_input_stream(environ, max_content_length=settings.receiver.max_delivery_bytes).read()
        try:
            answer, code = receiver.receive(headers, body)
        except HTTPException as error:
            answer, code = {"error": error.description or ""}, error.code or 500
        content = json.dumps(answer).encode()
        sent = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response(f"{code} {HTTPStatus(code).phrase}", sent)
        return [content]

    return respond
