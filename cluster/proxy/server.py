"""The proxy's process: an application that listens, and what it calls the cluster and the operator by."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.accounts import AccountsClient
from bot.kubernetes import KubernetesClient
from bot.usage_client import UsageSender
from bot.usage_events import EventSpool
from cluster.limits import PROXY_IDLE_SECONDS, PROXY_STOP_SECONDS
from cluster.operator.publishing import PublisherAddress
from cluster.proxy.application import ProxyAbout, make_application
from cluster.proxy.callers import AuthCallers, Callers, FileCallers
from cluster.proxy.cluster_api import ClusterApi
from cluster.proxy.operator_client import OperatorClient
from cluster.proxy.publisher_client import PublisherClient
from cluster.proxy.service_token import ServiceCallers
from cluster.proxy.tokens import KnownTokens
from cluster.proxy.usage import ProxyUsage
from cluster.proxy.usage_client import ProxyUsageClient


@dataclass(frozen=True)
class ProxyOptions:
    """What it asks, and whom it knows: those whom the auth server does, or those of the file."""

    operator_url: str
    operator_token_file: Path
    about: ProxyAbout
    tokens_file: Path | None = None
    auth_url: str = ""
    auth_token_file: Path | None = None  # what the auth server knows it by
    service_token_file: Path | None = None  # what the usage server shows
    usage_url: str = ""  # "": nobody is kept to limits, and nothing is logged
    usage_token_file: Path | None = None  # what the usage server knows it by
    spool: Path | None = None  # of what is to be logged there
    publisher: PublisherAddress | None = None
    storage_url: str = ""  # under which what is published is seen


class Proxy:
    """Answers people, for one namespace of a cluster."""

    def __init__(self, client: KubernetesClient, namespace: str, options: ProxyOptions) -> None:
        """Read the tokens, where a file has them. Raises TokenFileError."""
        self._client, self._namespace, self._options = client, namespace, options
        self._callers = _callers(options)
        self._spool: EventSpool | None = None
        if options.usage_url:
            assert options.usage_token_file and options.spool  # noqa: S101, PT018 (who sets the address sets all)
            sender = UsageSender(options.usage_url, options.usage_token_file)
            self._spool = EventSpool(options.spool, sender.send)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Have `run` return: streams end at once, what else is being answered has a few seconds."""
        self._stop.set()

    async def run(self, listening: socket.socket) -> None:
        """Serve on a socket until `stop`."""
        options = self._options
        connector = aiohttp.TCPConnector(limit=0)  # each stream and each terminal has a connection
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            api = ClusterApi(self._client, self._namespace)
            operator = OperatorClient(session, options.operator_url, options.operator_token_file)
            usage = self._usage(session)
            publisher = None
            if found := options.publisher:
                publisher = PublisherClient(session, found.url, found.token_file, options.storage_url)
            application = make_application(api, operator, session, self._callers, options.about, usage, publisher)
            runner = web.AppRunner(
                application,
                handler_cancellation=True,
                access_log=None,
                shutdown_timeout=PROXY_STOP_SECONDS,
                keepalive_timeout=PROXY_IDLE_SECONDS,
            )
            await runner.setup()
            try:
                await web.SockSite(runner, listening).start()
                await self._stop.wait()
            finally:
                await runner.cleanup()
                if self._spool:
                    await asyncio.to_thread(self._spool.close)

    def _usage(self, session: aiohttp.ClientSession) -> ProxyUsage | None:
        options = self._options
        if self._spool is None or options.usage_token_file is None:
            return None
        return ProxyUsage(ProxyUsageClient(session, options.usage_url, options.usage_token_file), self._spool)


def _callers(options: ProxyOptions) -> Callers:
    people = _people(options)
    return ServiceCallers(people, options.service_token_file) if options.service_token_file else people


def _people(options: ProxyOptions) -> Callers:
    if options.auth_url:
        assert options.auth_token_file is not None  # noqa: S101 (who sets the address sets both)
        return AuthCallers(AccountsClient(options.auth_url, options.auth_token_file))
    assert options.tokens_file is not None  # noqa: S101
    return FileCallers(KnownTokens(options.tokens_file))
