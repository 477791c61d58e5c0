"""Which versions a side speaks, and where its modules are (version_information_endpoint). The shape is that of 2.1.1."""

from typing import Annotated

from msgspec import Meta, Struct

from chargewire.protocols.ocpi.v211.words import Url


class Version(Struct, frozen=True):
    version: str
    url: Url


class Endpoint(Struct, frozen=True):
    """`identifier`: a module; ones that we do not know are ignored."""

    identifier: str
    url: Url


class VersionDetails(Struct, frozen=True):
    version: str
    endpoints: Annotated[tuple[Endpoint, ...], Meta(min_length=1)]


def rank(version: str) -> tuple[int, ...]:
    """What versions are compared by: 2.10 is newer than 2.2. Empty for what is no number."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
