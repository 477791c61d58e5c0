"""Every route under `/ocpi`, by our role. Paths are relative to `/ocpi/cpo` and `/ocpi/emsp`."""

from typing import Any

from litestar import Router

from chargewire.api import ocpi_authorize, ocpi_commands, ocpi_credentials, ocpi_lists, ocpi_received, ocpi_versions
from chargewire.api.ocpi_faults import ocpi_fault

CPO: list[Any] = [*ocpi_versions.CPO, *ocpi_credentials.CPO, *ocpi_lists.CPO, *ocpi_received.CPO, *ocpi_commands.CPO]
EMSP: list[Any] = [
    *ocpi_versions.EMSP,
    *ocpi_credentials.EMSP,
    *ocpi_lists.EMSP,
    *ocpi_received.EMSP,
    *ocpi_authorize.EMSP,
    *ocpi_commands.EMSP,
]


def ocpi_routers() -> list[Router]:
    """Both roles, answering in OCPI's envelope whatever happens."""
    faults: Any = {Exception: ocpi_fault}
    return [
        Router("/ocpi/cpo", route_handlers=CPO, exception_handlers=faults),
        Router("/ocpi/emsp", route_handlers=EMSP, exception_handlers=faults),
    ]
