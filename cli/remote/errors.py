"""What goes wrong with a cluster's proxy, each one line for the person."""

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from bot.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from requests import RequestException, Response

Shape = TypeVar("Shape", bound="BaseModel")


class ProxyAwayError(TransientError):
    """The proxy does not answer, or not now."""


class ProxyRefusedError(PermanentError):
    """The proxy does not do what was asked; `code` is its word for why, "" when it is no proxy of dppctl."""

    def __init__(self, message: str, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


def refusal(answer: "Response", body: bytes, cluster: str) -> ProxyAwayError | ProxyRefusedError:
    """Return the error of an answer that is none of 2xx. `body`: the first bytes of it."""
    if 300 <= answer.status_code < 400:
        where = f"answers {answer.status_code} {answer.reason} and leads elsewhere; is its address right?"
        return ProxyRefusedError(
            f"the cluster {cluster} {where} (`dppctl login {cluster} --url URL`)", answer.status_code
        )
    return refusal_of_text(answer.status_code, body, cluster)


def refusal_of_text(status: int, body: bytes, cluster: str) -> ProxyAwayError | ProxyRefusedError:
    """Return the error of a status from 400 on, with what the proxy says of it, if it is one."""
    from pydantic import ValidationError

    from cluster.runs_api import ApiProblem

    try:
        problem = ApiProblem.model_validate_json(body)
    except ValidationError:
        if status >= 500:
            return ProxyAwayError(f"the cluster {cluster} answers {_phrase(status)}")
        return no_server("proxy", status, cluster)
    hint = problem.hint or _hint(status, cluster)
    message = _one_line(f"{problem.error}; {hint}" if hint else problem.error)
    if status in (502, 503, 504) or (status == 429 and problem.may_pass):
        return ProxyAwayError(message)
    return ProxyRefusedError(message, status, problem.code)


def read_answer(shape: type[Shape], answer: "Response", cluster: str) -> Shape:
    """Return what was answered as one of the API's shapes. Raises ProxyRefusedError for anything else."""
    from pydantic import ValidationError

    try:
        return shape.model_validate_json(answer.content)
    except ValidationError:
        raise no_server("proxy", answer.status_code, cluster) from None


def away(error: "RequestException | OSError", cluster: str, where: str) -> ProxyAwayError:
    """Return the error for a connection that failed; `where`: how the proxy is reached."""
    hint = f"is it up, and the address right? (`dppctl login {cluster} --url URL` changes it)"
    return ProxyAwayError(f"the cluster {cluster} does not answer at {where}: {_reason(error)}; {hint}")


def no_server(kind: str, status: int, cluster: str) -> ProxyRefusedError:
    """Return the error for an answer that no server of this kind gives."""
    what = f"what answers for the cluster {cluster} is no {kind} of dppctl ({_phrase(status)}); is its address right?"
    return ProxyRefusedError(f"{what} (`dppctl login {cluster} --url URL`)", status)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _hint(status: int, cluster: str) -> str:
    return f"`dppctl login {cluster}` takes another token" if status in (401, 403) else ""


def _reason(error: BaseException) -> str:
    """Return the innermost reason: those around it quote addresses of objects."""
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted, or it speaks no TLS"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return "its name is not known"
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException) and cause.strerror:
            return cause.strerror
        reason = getattr(cause, "reason", None) or next(
            (each for each in cause.args if isinstance(each, Exception)), None
        )
        cause = reason if isinstance(reason, BaseException) else cause.__cause__ or cause.__context__
    return "the connection broke off"


def _one_line(text: str) -> str:
    return " ".join(text.split())
