"""Where webhooks may go."""

from ipaddress import ip_address

import pytest

from chargewire.charging.errors import Refused
from chargewire.outgoing import guard
from chargewire.outgoing.connection import Failure
from chargewire.outgoing.guard import Blocked, blocked, check_url, literal_address, resolve
from chargewire.outgoing.http import Client, Origin

LOOPBACK_SPELLINGS = ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.0.1")
NEVER = (
    "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fe80::1", "0.0.0.0", "::",
    "224.0.0.1", "255.255.255.255", "ff02::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001:0:a9fe::1",
    "::ffff:169.254.169.254", "::169.254.169.254", "192.0.0.192", "fec0::1", "2001:db8::1", "fd20:ce::254",
)  # fmt: skip
PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "::ffff:10.0.0.1",
)
PUBLIC = ("93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "::ffff:93.184.216.34")


@pytest.mark.parametrize("address", NEVER)
def test_link_local_metadata_and_reserved_addresses_are_never_reached(address: str) -> None:
    assert blocked(ip_address(address), allow_private=True)
    assert blocked(ip_address(address), allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_reached_only_where_that_is_allowed(address: str) -> None:
    assert blocked(ip_address(address), allow_private=False)
    assert not blocked(ip_address(address), allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert not blocked(ip_address(address), allow_private=False)


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_every_spelling_of_an_address_is_an_address(host: str) -> None:
    assert literal_address(host) == ip_address("127.0.0.1")
    with pytest.raises(Refused):
        check_url(f"https://{host}/x", False)


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
async def test_every_spelling_of_a_private_address_is_blocked_when_it_is_connected_to(host: str) -> None:
    with pytest.raises(Blocked):
        await resolve(host, 443, allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x", "ftp://example.com/", "https://user:secret@example.com/", "https://user@example.com/",
        "https://192.0.2.1/", "https://[::1]/", "https://localhost/", "https://db.internal/", "https://printer.local/",
        "https://example.com/?a=b", "https://example.com/#x", "https:///x", "https://example.com:99999/", "https://example.com:0/",
        "https://exa mple.com/", "https://example.com/\r\nHost: evil", "https://exämple.com/", "https://example.com\\@evil.com/",
        "https://[fe80::1%25eth0]/", "https://" + "a" * 1000 + ".com/", "file:///etc/passwd", "",
    ],
)  # fmt: skip
def test_urls_that_are_no_public_https_name_are_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url, False, "endpoints.cdrs.url")
    assert refused.value.field == "endpoints.cdrs.url"


@pytest.mark.parametrize("url", ["https://example.com", "https://example.com:8443/a/b/", "https://xn--exmple-cua.com/x"])
def test_public_https_names_pass(url: str) -> None:
    check_url(url, False)


@pytest.mark.parametrize(
    "url", ["http://localhost:8700/cdrs", "http://127.0.0.1:1/", "http://[::1]:8700/", "https://10.0.0.1/x"]
)
def test_private_endpoints_pass_where_they_are_allowed(url: str) -> None:
    check_url(url, True)
    with pytest.raises(Refused):
        check_url(url, False)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "http://0/"]
)
def test_metadata_addresses_are_refused_even_where_private_ones_are_allowed(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url, True)


async def test_one_bad_address_blocks_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]

    async def scripted(*_: object, **__: object) -> list[object]:
        return list(answers)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", scripted)
    with pytest.raises(Blocked):
        await resolve("rebinding.example", 443, allow_private=False)
    answers.pop()
    assert await resolve("rebinding.example", 443, allow_private=False) == ["93.184.216.34"]


async def test_the_client_does_not_connect_to_what_is_blocked() -> None:
    client = Client(allow_private=False)
    with pytest.raises(Failure) as failure:
        await client.exchange(Origin(False, "127.0.0.1", 9), b"GET / HTTP/1.1\r\n\r\n")
    assert failure.value.kind == "blocked"
    await client.close()


def test_nothing_is_in_both_lists() -> None:
    assert not [never for never in guard._NEVER if any(never == private for private in guard._PRIVATE)]
