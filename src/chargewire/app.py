"""Builds every part of an environment, hands each what it needs, and runs them together until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from msgspec import Struct

from chargewire.api.build import build_api
from chargewire.api.context import ApiSettings
from chargewire.api.http_guard import GuardedHttp
from chargewire.api.renderings import RENDERINGS
from chargewire.csms.desk import Csms, CsmsSettings
from chargewire.csms.directory import Directory
from chargewire.csms.registry import Registry
from chargewire.csms.signed import SignedLinks
from chargewire.figures import figures
from chargewire.gateway.serve import Gateway, GatewaySettings, server_tls
from chargewire.holds import Holds
from chargewire.journal import open_journal
from chargewire.log import event
from chargewire.outgoing.guard import check_url
from chargewire.push.dispatcher import Dispatcher
from chargewire.retention import days_of, forget
from chargewire.roaming.office import Office
from chargewire.settings import Settings
from chargewire.sharing.keys import Keys

GC_THRESHOLDS = (100_000, 50, 100)  # what stations hold is long-lived: the default thresholds walk it a hundred times a second


class Running(Struct, frozen=True):
    """Where an environment that accepts can be reached."""

    url: str
    ocpp_url: str


async def run(settings: Settings) -> None:
    """Run one environment until SIGINT or SIGTERM; prints the two `listening` lines once both ports accept."""
    gc.set_threshold(*GC_THRESHOLDS)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings) as where:
        print(f"listening {where.url}", flush=True)  # noqa: T201  the contract with whoever started us
        print(f"listening {where.ocpp_url}", flush=True)  # noqa: T201
        await stop.wait()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """An environment that accepts; ended in order when left: stations first, then customers, then the memory."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)  # who charges where is nobody else's business
    keys = Keys.load(settings.key_path)
    journal = await open_journal(settings.database_url, renderers=RENDERINGS)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(journal.close)
        await journal.serve_alone()
        directory = Directory(journal, keys)
        await directory.load()
        stack.push_async_callback(directory.close)
        registry = Registry(journal, directory, keys, check_url=partial(_check_url, settings.private_endpoints))
        links = SignedLinks(keys, settings.public_url)
        habits = CsmsSettings(heartbeat_s=settings.heartbeat_s, park_unknown=settings.park_unknown_stations)
        csms = Csms(journal, directory, keys, habits, signed_url=links.url)
        registry.on_stations = csms.rewritten
        registry.on_token = csms.token_written
        await csms.start()
        stack.push_async_callback(csms.stop)
        dispatcher = Dispatcher(journal, directory, keys, allow_private=settings.private_endpoints)
        await dispatcher.start()
        stack.push_async_callback(dispatcher.stop)
        gateway = Gateway(
            csms,
            keys.matches,
            GatewaySettings(allow_open_stations=settings.open_stations, trusted_proxies=settings.trusted_proxy),
        )
        holds = Holds()
        office = Office(journal, directory, registry, keys, csms.orders, allow_private=settings.private_endpoints)
        stack.push_async_callback(office.stop)
        csms.ask_partners(office.authority)
        api = build_api(
            journal, directory, registry, csms.orders, keys, _api_settings(settings, gateway, dispatcher, holds), office
        )
        url = await stack.enter_async_context(_http(api, settings))
        links.public_url = settings.public_url or url
        await office.start(settings.public_url or url)
        for work in (forget(journal, days_of(settings)), holds.watch()):
            stack.callback(asyncio.create_task(work).cancel)
        ocpp_url = await _ocpp(gateway, settings)
        stack.push_async_callback(gateway.stop)
        event("environment.up", environment=settings.environment, url=url, ocpp_url=ocpp_url)
        yield Running(url, ocpp_url)


def _check_url(allow_private: bool, url: str, field: str) -> None:
    check_url(url, allow_private, field)


def _api_settings(settings: Settings, gateway: Gateway, dispatcher: Dispatcher, holds: Holds) -> ApiSettings:
    return ApiSettings(
        admin_token=settings.admin_token,
        environment=settings.environment,
        public_url=settings.public_url,
        public_ocpp_url=settings.public_ocpp_url,
        open_status=settings.open_status,
        push_status=dispatcher.status,
        metrics=(
            figures("chargewire_gateway", lambda: gateway.metrics, frozenset({"connections"})),
            figures("chargewire_push", lambda: dispatcher.metrics),
            holds.lines,
        ),
    )


async def _ocpp(gateway: Gateway, settings: Settings) -> str:
    tls = server_tls(str(settings.tls_cert), str(settings.tls_key)) if settings.tls_cert else None
    port = await gateway.start(settings.host, settings.ocpp_port, tls)
    return f"{'wss' if tls else 'ws'}://{_host(settings.host)}:{port}/ocpp"


@asynccontextmanager
async def _http(app: object, settings: Settings) -> AsyncIterator[str]:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=GuardedHttp,
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxy),
        forwarded_allow_ips=list(settings.trusted_proxy),
        ssl_certfile=str(settings.tls_cert) if settings.tls_cert else None,
        ssl_keyfile=str(settings.tls_key) if settings.tls_key else None,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    listening = _bound(settings.host, settings.port)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        if serving.done():
            await serving
        await asyncio.sleep(0.005)
    try:
        yield f"{'https' if settings.tls_cert else 'http'}://{_host(settings.host)}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Signals are `run`'s business: the parts end in order, this one is among the last."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
