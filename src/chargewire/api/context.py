"""What the HTTP side of an instance needs to know."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from litestar import Request
from msgspec import Struct

from chargewire.api.metrics import Metrics
from chargewire.csms.directory import Directory
from chargewire.csms.port import CommandDesk
from chargewire.csms.registry import Registry
from chargewire.csms.views import Views
from chargewire.journal.memory import Journal
from chargewire.roaming.office import Office
from chargewire.sharing.keys import Keys

Asking = Request[Any, Any, Any]


class ApiSettings(Struct, frozen=True, kw_only=True):
    """How an instance shows itself."""

    admin_token: str | None = None  # None: the admin API lets nobody in
    environment: str = "acceptance"
    public_url: str | None = None  # None: the address that the caller used
    public_ocpp_url: str | None = None
    open_status: bool = False  # the status page and the metrics need no token
    push_status: Callable[[], Any] | None = None  # what the deliveries are at, JSON-able
    metrics: tuple[Callable[[], Iterable[str]], ...] = ()  # further lines for /metrics
    ready: Callable[[], bool] = lambda: True


class Api(Struct, frozen=True, kw_only=True):
    """Everything that a handler may use."""

    journal: Journal
    directory: Directory
    registry: Registry
    desk: CommandDesk
    keys: Keys
    views: Views
    settings: ApiSettings
    metrics: Metrics
    office: Office
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def api_of(request: Asking) -> Api:
    """The instance that a request is for."""
    api: Api = request.app.state.api
    return api
