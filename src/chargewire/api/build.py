"""The HTTP side of an instance, put together: pull API, admin API, reference, status page and health."""

from time import perf_counter
from typing import Any

from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from chargewire.api import (
    admin,
    admin_cdrs,
    admin_partner_objects,
    admin_partners,
    admin_subscriptions,
    health,
    pull_cdrs,
    pull_locations,
    pull_metervalues,
    pull_notifications,
    pull_sessions,
    reference,
    signed,
)
from chargewire.api.context import Api, ApiSettings, Asking, api_of
from chargewire.api.faults import NotIn, admin_fault, pull_fault
from chargewire.api.gate import bearer
from chargewire.api.metrics import Metrics
from chargewire.api.ocpi_faults import unrouted_fault
from chargewire.api.ocpi_paths import ocpi_path
from chargewire.api.ocpi_routes import ocpi_routers
from chargewire.csms.directory import Directory
from chargewire.csms.port import CommandDesk
from chargewire.csms.registry import Registry
from chargewire.csms.views import Views
from chargewire.journal.memory import Journal
from chargewire.portal import routes as portal
from chargewire.roaming.office import Office
from chargewire.sharing.keys import Keys

MOST_BODY = 4_000_000  # bytes; the largest location that anybody writes

PULL = [
    pull_sessions.list_sessions,
    pull_cdrs.list_cdrs,
    pull_cdrs.list_cdrs_of_emsp,
    pull_cdrs.list_cdrs_of_customer,
    pull_locations.list_locations,
    pull_locations.get_location,
    pull_locations.get_evse,
    pull_locations.get_connector,
    pull_metervalues.list_metervalues,
    pull_notifications.list_notifications,
    pull_notifications.list_notifications_of_station,
]
PULL_2 = [pull_cdrs.list_cdrs, pull_cdrs.list_cdrs_of_emsp, pull_cdrs.list_cdrs_of_customer]
MODULES = frozenset({"sessions", "cdrs", "locations", "metervalues", "chargestationnotifications"})
PLACES = frozenset({"admin", "ocpi", "docs", "healthz", "readyz", "metrics", "signed", "", "live", "login"})
ADMIN = [
    admin.list_networks,
    admin.get_network,
    admin.write_network,
    admin.list_cpos,
    admin.get_cpo,
    admin.write_cpo,
    admin.list_emsps,
    admin.get_emsp,
    admin.write_emsp,
    admin.list_locations,
    admin.get_location,
    admin.write_location,
    admin.list_stations,
    admin.get_station,
    admin.list_parked,
    admin.list_tariffs,
    admin.get_tariff,
    admin.write_tariff,
    admin.delete_tariff,
    admin.list_tokens,
    admin.get_token,
    admin.write_token,
    admin.write_token_of,
    admin_subscriptions.list_subscriptions,
    admin_subscriptions.get_subscription,
    admin_subscriptions.make_subscription,
    admin_subscriptions.patch_subscription,
    admin_subscriptions.end_subscription,
    admin_subscriptions.rotate_token,
    admin_subscriptions.not_yet,
    admin_subscriptions.list_deliveries,
    admin_subscriptions.order_command,
    admin_subscriptions.get_command,
    *admin_partners.ROUTES,
    *admin_cdrs.ROUTES,
    *admin_partner_objects.ROUTES,
]


def build_api(
    journal: Journal,
    directory: Directory,
    registry: Registry,
    desk: CommandDesk,
    keys: Keys,
    settings: ApiSettings,
    office: Office,
) -> ASGIApp:
    """An ASGI application that serves everything but the stations' sockets."""
    api = Api(
        journal=journal,
        directory=directory,
        registry=registry,
        desk=desk,
        keys=keys,
        views=Views(journal, directory),
        settings=settings,
        metrics=Metrics(),
        office=office,
    )
    return Front(_application(api), api.metrics)


def _application(api: Api) -> Litestar:
    faults: Any = {Exception: pull_fault}
    return Litestar(
        route_handlers=[
            Router("/api/1.0", route_handlers=PULL, exception_handlers=faults),
            Router("/api/2.0", route_handlers=PULL_2, exception_handlers=faults),
            *ocpi_routers(),
            Router("/admin/v1", route_handlers=ADMIN),
            Router("/docs", route_handlers=reference.ROUTES),
            health.healthz,
            health.readyz,
            health.metrics,
            *signed.ROUTES,
            *portal.ROUTES,
        ],
        exception_handlers={Exception: _fault},
        openapi_config=None,
        logging_config=None,  # whoever runs us decides how it is logged
        request_max_body_size=MOST_BODY,
        state=State({"api": api}),
    )


def _fault(request: Asking, error: Exception) -> Response[bytes]:
    """What nobody else answered: in an envelope under `/api` and `/ocpi`, else as problem details."""
    if request.scope["path"].startswith("/ocpi/"):
        return unrouted_fault(request, error)
    if not request.scope["path"].startswith("/api/"):
        return admin_fault(request, error)
    known = api_of(request).directory.by_token(bearer(request)) is not None
    return pull_fault(request, error if known else NotIn())


class Front:
    """Reads paths of the Platform API in any case, and counts what is answered.

    `/API/1.0/ChargeStationNotifications/CS-1` is `/api/1.0/chargestationnotifications/CS-1`: names are folded, ids stay.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        begun, status = perf_counter(), 500
        path = scope["path"]
        if "\0" in path:  # no name has such a character, and PostgreSQL has no room for it
            path = scope["path"] = path.replace("\0", "\ufffd")
            scope["raw_path"] = path.encode()
        if path[:5].lower() == "/api/":
            segments = path.split("/", 4)
            path = "/".join((*(segment.lower() for segment in segments[:4]), *segments[4:]))
            scope["path"] = path
            scope["raw_path"] = path.encode()
        elif path.startswith("/ocpi/"):
            path = scope["path"] = ocpi_path(path, scope["raw_path"])
            scope["raw_path"] = path.encode()

        bodiless = scope["method"] == "HEAD" and path != "/live"  # the headers of what GET gives (RFC 9110 §9.3.2)
        if bodiless:
            scope = {**scope, "method": "GET"}

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif bodiless:
                message = {"type": "http.response.body", "body": b"", "more_body": bool(message.get("more_body"))}
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            self._metrics.answered(_module(path, status), status, perf_counter() - begun)


def _module(path: str, status: int) -> str:
    """What was asked for, from a small set of names."""
    segments = path.split("/")
    if segments[1] == "api" and len(segments) > 3:
        return segments[3] if segments[3] in MODULES else "other"
    return segments[1] if segments[1] in PLACES else "other"
