"""Where webhooks may go: keeps a URL that a customer gives from reaching into our own network (SSRF).

A URL is checked when it is saved, and its addresses each time a connection is made: what was looked up and checked is what is
connected to, so a name that changes its address in between gains nothing. One bad address blocks the whole name.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from chargewire.charging.errors import Refused

LONGEST_URL = 1000

# Reached only with `allow_private`: RFC 1918, loopback, unique local (RFC 4193), carrier NAT (RFC 6598), benchmarks (RFC 2544).
_PRIVATE = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "100.64.0.0/10",
            "198.18.0.0/15",
            "::1/128",
            "fc00::/7",
        ),
    )
)
# Never reached: this network, link-local, protocol assignments, documentation, 6to4 relay, multicast, reserved (RFC 6890) …
_NEVER = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            # … and what a cloud tells its own machines: Alibaba, Azure, AWS and Google by IPv6
            "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128", "fd20:ce::254/128",
            # unspecified, discard, NAT64, Teredo, ORCHID, documentation, 6to4, SRv6, link-local, site-local, multicast
            "::/128", "::/96", "100::/64", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16",
            "3fff::/20", "5f00::/16", "fe80::/10", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".home.arpa")


class Blocked(Exception):
    """The name leads to an address that webhooks must not reach."""


def check_url(url: str, allow_private: bool, field: str = "url") -> None:
    """Refuse a URL that we are not going to push to. Raises Refused.

    Without `allow_private` it must be https, to a name and not to an address in any spelling.
    """
    parts = _split(url, field)
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allow_private):
        raise Refused("must be an http or https URL" if allow_private else "must be an https URL", field)
    if parts.username is not None or parts.password is not None:
        raise Refused("must not hold a user or a password", field)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise Refused("must not have a query or a fragment", field)
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise Refused("must name a host", field)
    literal = literal_address(host)
    if literal is not None:
        if not allow_private:
            raise Refused("must be a name, not an address", field)
        if why := blocked(literal, allow_private=True):
            raise Refused(why, field)
    elif not allow_private and host.lower().endswith(_LOCAL_NAMES):
        raise Refused("must be a public name", field)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host spells, in any form that resolvers take (`127.1`, `0x7f000001`, …); None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def blocked(address: IPv4Address | IPv6Address, *, allow_private: bool) -> str:
    """Why an address must not be reached; "" if it may be."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in _NEVER if network.version == address.version and address not in _LOOPBACK):
        return f"{address} is never reached by webhooks"
    if not allow_private and any(address in network for network in _PRIVATE if network.version == address.version):
        return f"{address} is a private address"
    return ""


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host, all of them allowed. Raises Blocked, OSError (not found)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not addresses:
        raise OSError(f"{host} has no address")
    for address in addresses:
        if why := blocked(ip_address(address.partition("%")[0]), allow_private=allow_private):
            raise Blocked(why)
    return addresses


_LOOPBACK = ip_network("::1/128")  # lies in ::/96 and is private, not forbidden


def _split(url: str, field: str) -> SplitResult:
    if len(url) > LONGEST_URL:
        raise Refused(f"must not be longer than {LONGEST_URL} characters", field)
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused("must be a URL in ASCII (a name in its xn-- form)", field)
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            raise Refused("must have a port above 0", field)
    except ValueError as error:
        raise Refused("is not a URL", field) from error
    return parts
