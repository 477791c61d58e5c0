"""Every route under `/ocpi`, by our role. Paths are relative to `/ocpi/cpo` and `/ocpi/emsp`."""

from typing import Any

from litestar import Router

from chargewire.api.ocpi_faults import ocpi_fault

CPO: list[Any] = []
EMSP: list[Any] = []


def ocpi_routers() -> list[Router]:
    """Both roles, answering in OCPI's envelope whatever happens."""
    faults: Any = {Exception: ocpi_fault}
    return [
        Router("/ocpi/cpo", route_handlers=CPO, exception_handlers=faults),
        Router("/ocpi/emsp", route_handlers=EMSP, exception_handlers=faults),
    ]
