"""What a request asks of a list of deployments: filters and a page, as `?app=ann/app&state=failed&page=2`."""

from dataclasses import dataclass
from typing import get_args

from flask import request
from werkzeug.exceptions import BadRequest

from bot.store.deployment_lists import DeploymentFilter
from bot.store.tables import State
from webhooks.limits import MAX_FILTER, MAX_PAGE

STATES: tuple[str, ...] = get_args(State)
FILTERS = ("app", "environment", "state")


@dataclass(frozen=True)
class ListQuery:
    """Which deployments are asked for, and which page of them: counted from 1, with `size` deployments each."""

    wanted: DeploymentFilter
    page: int
    size: int

    def arguments(self, page: int) -> dict[str, str]:
        """Return the query of another page of the same."""
        given = {name: value for name in FILTERS if (value := getattr(self.wanted, name))}
        return given | ({"page": str(page)} if page > 1 else {})


def read_query(size: int, most: int | None = None) -> ListQuery:
    """Read the query of the request that is answered. Raises BadRequest.

    An empty filter, as a form sends it, is none. most: of a size that is asked for by `size=`; None: it is not asked.
    """
    given = {name: request.args.get(name) or None for name in FILTERS}
    for name, value in given.items():
        if value and len(value) > MAX_FILTER:
            raise BadRequest(f"{name}: is longer than {MAX_FILTER} characters")
    if given["state"] and given["state"] not in STATES:
        raise BadRequest(f"state: {given['state'][:50]!r} is none of {', '.join(STATES)}")
    if most:
        size = _number("size", size, most)
    return ListQuery(DeploymentFilter(**given), _number("page", 1, MAX_PAGE), size)


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise BadRequest(f"{name}: {text[:50]!r} is no number from 1 to {most}")
    return int(text)
