"""Answers from 400 on: one line, a word for programs, and what to do, as JSON."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from bot.errors import DppctlError
from bot.kubernetes import ApiAwayError, ApiError
from bot.logs import get_logger
from cluster.limits import PROXY_RETRY_SECONDS
from cluster.runs_api import ApiProblem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY = {"Retry-After": str(PROXY_RETRY_SECONDS)}
_CODES = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}

_log = get_logger("dppctl.proxy")


class RefusalError(DppctlError):
    """A request is not answered as it was asked."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        limit: Mapping[str, Any] | None = None,
    ) -> None:
        """`code`: a word for programs; `hint`: what to do; `limit`: fields of ApiProblem about the one it is for."""
        super().__init__(message)
        self.status, self.code, self.hint, self.headers, self.limit = status, code, hint, headers, limit or {}

    def response(self) -> web.Response:
        """Return the answer."""
        problem = ApiProblem(error=" ".join(str(self).split()), code=self.code, hint=self.hint, **self.limit)
        text = problem.model_dump_json(by_alias=True)
        return web.json_response(text=text, status=self.status, headers=self.headers)


class OperatorAwayError(RefusalError):
    """The operator does not answer, or not now."""

    def __init__(self, reason: str) -> None:
        """`reason`: what it, or the network, says."""
        super().__init__(
            503, "operator-away", f"the operator does not answer: {reason}", "try again in a moment", RETRY
        )


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request, also when its handler raises; a stream that has begun is ended."""
    try:
        return await handler(request)
    except RefusalError as error:
        return error.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_http(request, error).response()
    except ApiAwayError as error:
        return RefusalError(503, "cluster-away", str(error), "try again in a moment", RETRY).response()
    except ApiError as error:
        return of_cluster(error).response()
    except Exception:  # noqa: BLE001 (whatever it is, the log has it and who asked gets an answer)
        _log.exception("request failed", method=request.method, path=request.path)
        return RefusalError(500, "internal", "the proxy itself failed", "its log has more").response()


def invalid(error: ValidationError) -> RefusalError:
    """Return what to answer to a body that is wrong: its first mistake, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the body"
    return RefusalError(400, "invalid", f"{where}: {first['msg']}")


def _of_http(request: web.Request, error: web.HTTPException) -> RefusalError:
    code = _CODES.get(error.status, "refused")
    text = f"there is no {request.method} {request.path} here" if error.status in (404, 405) else error.reason
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return RefusalError(error.status, code, text, headers=headers)


def of_cluster(error: ApiError) -> RefusalError:
    """Return what to answer when Kubernetes refuses."""
    if error.status == 403 and "exceeded quota" in error.reason:
        hint = "wait until other runs have ended, or ask for a larger quota"
        return RefusalError(403, "quota", f"the cluster's quota is used up: {error.reason}", hint)
    if error.status in (400, 422):
        return RefusalError(400, "invalid", error.reason)
    if error.status in (401, 403):
        hint = "give the proxy's account this right: charts/dppctl has its Role"
        return RefusalError(503, "cluster-refuses", f"the cluster refuses the proxy: {error.reason}", hint)
    return RefusalError(503, "cluster-refuses", str(error), "try again in a moment", RETRY)
