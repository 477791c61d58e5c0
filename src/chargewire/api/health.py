"""`/healthz`, `/readyz` and `/metrics`: for those who keep an instance running."""

from typing import Any

from litestar import Response, get

from chargewire.api.context import Asking, api_of
from chargewire.api.gate import viewer
from chargewire.charging.errors import MemoryUnavailable

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@get("/healthz")
async def healthz(request: Asking) -> Response[str]:
    """The process lives."""
    return Response("ok\n", media_type="text/plain")


@get("/readyz")
async def readyz(request: Asking) -> Response[str]:
    """It can answer: the memory is there and everything has started."""
    api = api_of(request)
    try:
        await api.journal.heads()
        ready = api.settings.ready()
    except MemoryUnavailable:
        ready = False
    return Response("ok\n" if ready else "not ready\n", media_type="text/plain", status_code=200 if ready else 503)


@get("/metrics")
async def metrics(request: Asking) -> Response[str]:
    """Prometheus text."""
    api = viewer(request)
    lines: list[Any] = list(api.metrics.lines())
    for more in api.settings.metrics:
        lines.extend(more())
    return Response("\n".join(lines) + "\n", headers={"content-type": TEXT})
