"""Brings events to the usage server."""

from collections.abc import Sequence
from pathlib import Path

import requests

from bot.errors import TransientError
from bot.limits import MAX_EVENTS_BYTES, USAGE_ANSWER_SECONDS
from bot.usage_events import UsageEvent


class UsageAwayError(TransientError):
    """The usage server does not answer, or not now."""


class UsageSender:
    """Delivers events to one usage server; `send` is what an EventSpool wants."""

    def __init__(self, url: str, token_file: Path) -> None:
        """`url`: of the usage server, without a path; the file, read each time, has what it knows this server by."""
        self._url, self._token_file = f"{url}/usage/events", token_file

    def send(self, events: Sequence[UsageEvent]) -> None:
        """Deliver events. Raises UsageAwayError when they were not taken, whyever."""
        texts = [event.model_dump_json().encode() for event in events]
        size = sum(map(len, texts))
        if size > MAX_EVENTS_BYTES and len(texts) > 1:  # what was taken of them is not taken twice
            self.send(events[: len(events) // 2])
            self.send(events[len(events) // 2 :])
            return
        body = b'{"events": [' + b",".join(texts) + b"]}"
        try:
            headers = {
                "Authorization": f"Bearer {self._token_file.read_text().strip()}",
                "Content-Type": "application/json",
            }
            with requests.Session() as session:
                session.trust_env = False  # no proxy between us; no .netrc instead of the token
                answer = session.post(
                    self._url, data=body, headers=headers, timeout=USAGE_ANSWER_SECONDS, allow_redirects=False
                )
        except OSError as error:  # requests' own errors are OSErrors
            raise UsageAwayError(f"{self._url} does not answer: {type(error).__name__}") from None
        if answer.status_code != 204:
            raise UsageAwayError(f"{self._url} does not take events: {answer.status_code}")
