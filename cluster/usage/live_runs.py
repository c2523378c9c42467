"""The runs as the proxy knows them, their notices and their ends."""

from pathlib import Path
from typing import Any

import requests
from pydantic import ValidationError

from bot.errors import TransientError
from cluster.limits import USAGE_SECONDS
from cluster.runs_api import RunInfo, RunList


class RunsAwayError(TransientError):
    """The proxy does not answer, or not as it should."""


class LiveRuns:
    """Asks one proxy. All calls raise RunsAwayError."""

    def __init__(self, url: str, token_file: Path) -> None:
        """`url`: of the proxy; the file, read each time, has what it knows the usage server by."""
        self._url, self._token_file = url, token_file

    def all(self) -> tuple[RunInfo, ...]:
        """Return all runs that are there, those that ended among them."""
        try:
            return RunList.model_validate_json(self._call("GET", "/v1/runs?all=1")).runs
        except ValidationError:
            raise RunsAwayError(f"{self._url} is of another version") from None

    def stop(self, run: str, message: str) -> None:
        """Have a run end because of a limit."""
        self._call("POST", f"/v1/runs/{run}/stop", json={"reason": "UsageLimit", "message": message})

    def notify(self, run: str, message: str) -> None:
        """Have something said to who follows a run."""
        self._call("POST", f"/v1/runs/{run}/notice", json={"message": message})

    def _call(self, method: str, path: str, **options: Any) -> bytes:
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method, self._url + path, headers=headers, timeout=USAGE_SECONDS, allow_redirects=False, **options
                )
        except OSError as error:  # requests' own errors are OSErrors
            raise RunsAwayError(f"{self._url} does not answer: {type(error).__name__}") from None
        if answer.status_code >= 300:
            raise RunsAwayError(f"{self._url}{path.partition('?')[0]}: {answer.status_code} {answer.text[:200]}")
        return answer.content
