"""Bodies of requests, read within a time and checked."""

import asyncio
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from cluster.limits import REQUEST_SECONDS
from cluster.proxy.refusals import RefusalError, invalid

ModelT = TypeVar("ModelT", bound=BaseModel)


async def read_body(request: web.Request, model: type[ModelT]) -> ModelT:
    """Return what is asked for. Raises RefusalError."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise RefusalError(408, "slow", f"the body did not come within {REQUEST_SECONDS:.0f} seconds") from None
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise invalid(error) from None
