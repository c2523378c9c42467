"""The publisher's HTTP, for operator and proxy.

    GET   /healthz                     200
    GET   /metrics                     for Prometheus
    POST  /publications                202; begin a publication, or hear how far the one of this uid is
    PUT   /publications/UID?prefix=&limitBytes=    202; the same with a tar as body; `&user=&dayBytes=`: it is counted
    GET   /publications/UID            how far it is; 404: it is not known, ask for it (again)
    GET   /publications/UID/files      a tar of what is kept, of one without a prefix

All but the first two need `Authorization: Bearer TOKEN`. Errors are the proxy's: {"error", "code", "hint"}.
"""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.errors import PermanentError, TransientError, reason_of
from cluster.publisher.errors import PublicationTooLargeError
from cluster.publisher.limits import MAX_REQUEST_BYTES
from cluster.publisher.publications import OtherPublicationError, Publications
from cluster.publisher.receive import PatientSource
from cluster.publisher.shapes import DayLimit, LimitBytes, PublicationRequest, PublicationState, StoragePrefix
from cluster.publisher.tar_writer import write_tar
from cluster.runs_api import ApiProblem

_OPEN = ("/healthz", "/metrics")
_UID = "{uid:[0-9a-z-]{1,64}}"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _UploadQuery(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    prefix: StoragePrefix
    limit_bytes: LimitBytes
    user: str = ""
    day_bytes: int | None = None

    @property
    def day_limit(self) -> DayLimit | None:
        """Return whose it is, if that is counted."""
        return DayLimit(user=self.user, bytes=self.day_bytes) if self.day_bytes is not None else None


class PublisherHttp:
    """Makes the aiohttp application, `application`, of a publisher."""

    def __init__(self, publications: Publications, token: str) -> None:
        """Take the token that operator and proxy know."""
        self._publications = publications
        self._bearer = f"Bearer {token}".encode()
        self._registry = CollectorRegistry()
        self._registry.register(publications.metrics)

    def application(self) -> web.Application:
        """Return what answers."""
        application = web.Application(middlewares=[self._answer], client_max_size=MAX_REQUEST_BYTES)
        application.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/metrics", self._metrics),
                web.post("/publications", self._ask),
                web.put(f"/publications/{_UID}", self._upload),
                web.get(f"/publications/{_UID}", self._state),
                web.get(f"/publications/{_UID}/files", self._files),
            ]
        )
        return application

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode()
        if request.path not in _OPEN and not hmac.compare_digest(given, self._bearer):
            answer = _problem(401, "unauthorized", "the bearer token is missing or wrong")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _problem(error.status, "not-found", f"{request.method} {request.path}: {error.reason}")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            return _problem(400, "invalid", f"{where}: {first['msg'].removeprefix('Value error, ')}")
        except PublicationTooLargeError as error:
            return _problem(413, "publication-too-large", str(error))
        except OtherPublicationError as error:
            return _problem(409, "other-publication", str(error))
        except PermanentError as error:
            return _problem(400, "not-publishable", str(error))
        except TransientError as error:
            return _problem(503, "not-now", str(error), "try again")
        except OSError as error:
            return _problem(507, "disk-full", reason_of(error))

    async def _health(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        asked = PublicationRequest.model_validate_json(await request.read())
        return _shown(self._publications.ask(asked), 202)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        query = _UploadQuery.model_validate(dict(request.query))
        source = PatientSource(request.content)
        uid = request.match_info["uid"]
        state = await self._publications.upload(uid, query.prefix, query.limit_bytes, source, query.day_limit)
        return _shown(state, 202)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        if state := self._publications.state(request.match_info["uid"]):
            return _shown(state, 200)
        return _problem(404, "no-such-publication", "there is no such publication, or it ended over an hour ago")

    async def _files(self, request: web.Request) -> web.StreamResponse:
        folder = self._publications.kept_files(request.match_info["uid"])
        if folder is None:
            return _problem(404, "no-such-files", "no files are kept of it, or no more")
        answer = web.StreamResponse(headers={"Content-Type": "application/x-tar", "Cache-Control": "no-store"})
        await answer.prepare(request)
        async for piece in write_tar([folder / "first", folder / "last"]):
            await answer.write(piece)
        await answer.write_eof()
        return answer


def _shown(state: PublicationState, status: int) -> web.Response:
    return web.Response(status=status, text=state.model_dump_json(), content_type="application/json")


def _problem(status: int, code: str, error: str, hint: str = "") -> web.Response:
    return web.json_response(ApiProblem(error=error, code=code, hint=hint).model_dump(), status=status)
