"""Who is let in, and what the others are told (OCPP-J 1.6 §3; security whitepaper ed. 2 §3)."""

import asyncio
import base64
from collections.abc import Mapping

import pytest

from chargewire.gateway.handshake import Refused, password_forms, read_knock
from gateway.memory_desk import House, open_house

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def head(target: str = "/ocpp/CS-1", headers: Mapping[str, str] | None = None, request: str = "GET") -> bytes:
    fields = {"Host": "x", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13"}
    fields |= {"Sec-WebSocket-Key": KEY} | dict(headers or {})
    return "\r\n".join([f"{request} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]).encode()


def basic(user: bytes, password: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(user + b":" + password).decode()}


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/CS-1", "CS-1"),
        ("/ocpp/CS%2D1", "CS-1"),
        ("/ocpp/Stra%C3%9Fe%201%2F2", "Straße 1/2"),
        ("/OCPP/CS-1?x=1", "CS-1"),
        ("/ocpp/%3A", ":"),
    ],
)
def test_the_identity_is_the_last_segment_un_encoded(path: str, identity: str) -> None:
    assert read_knock(head(path)).identity == identity


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head("/"), 404),
        (head("/ocpp/"), 404),
        (head("/ocpp/a/b"), 404),
        (head("/other/CS-1"), 404),
        (head("/ocpp/%ff"), 404),
        (head("/ocpp/a%00b"), 404),
        (head("/ocpp/%20"), 404),
        (head("/ocpp/" + "x" * 129), 404),
        (head(request="POST"), 405),
        (head(headers={"Sec-WebSocket-Key": "short"}), 426),
        (head(headers={"Sec-WebSocket-Version": "8"}), 426),
        (b"GET /ocpp/CS-1 HTTP/1.1\r\nHost: x", 426),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET /ocpp/CS-1 HTTP/1.1\r\nno colon", 400),
        (b"GET /ocpp/CS-1 HTTP/1.1\r\nSpaced : x", 400),
    ],
)
def test_a_request_that_cannot_be_let_in_is_told_why(request_head: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read_knock(request_head)
    assert refused.value.status == status


def test_a_password_may_be_raw_bytes_and_hold_colons() -> None:
    knock = read_knock(head(headers=basic(b"CS-1", b"\xff:\x00:")))
    assert (knock.user, knock.password) == (b"CS-1", b"\xff:\x00:")


@pytest.mark.parametrize("value", ["Basic", "Basic ???", "Bearer abc", "Basic " + base64.b64encode(b"nocolon").decode()])
def test_credentials_that_make_no_sense_are_none(value: str) -> None:
    assert read_knock(head(headers={"Authorization": value})).user is None


def test_a_key_is_known_as_bytes_and_as_hex_digits() -> None:
    assert b"\x01\xab" in password_forms(b"01AB")
    assert {b"01ab", b"01AB"} <= set(password_forms(b"\x01\xab"))


async def knock(house: House, path: str = "/ocpp/CS-1", headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(head(path, headers) + b"\r\n\r\n")
    answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    writer.close()
    status, *lines = answer.strip().split("\r\n")
    return int(status.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


async def test_a_known_station_is_let_in_by_the_name_of_its_sub_protocol(house: House) -> None:
    status, headers = await knock(house, headers={"Sec-WebSocket-Protocol": "ocpp2.0.1, ocpp1.6"})
    assert (status, headers["sec-websocket-protocol"]) == (101, "ocpp1.6")
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3


async def test_an_unknown_station_is_not_found(house: House) -> None:
    status, _ = await knock(house, "/ocpp/NOBODY")
    assert status == 404
    assert house.gateway.metrics.refused == {"unknown-station": 1}


async def test_an_identity_is_known_whatever_its_case(house: House) -> None:
    async with house.station("cs-1"):
        assert house.gateway.is_connected("CS-1")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic(b"KEY", b"wrong"), 401),
        (basic(b"CS-1", b"secret"), 401),
        (basic(b"KEY", b""), 401),
        (basic(b"KEY", b"secret"), 101),
        (basic(b"KEY", b"secret".hex().encode()), 101),
        ({"Authorization": "Bearer secret"}, 401),
    ],
)
async def test_a_station_with_a_password_needs_it(house: House, headers: dict[str, str], status: int) -> None:
    answered, fields = await knock(house, "/ocpp/KEY", headers | {"Sec-WebSocket-Protocol": "ocpp1.6"})
    assert answered == status
    if status == 401:
        assert fields["www-authenticate"].startswith('Basic realm="')


async def test_in_production_a_station_without_password_is_refused() -> None:
    async with open_house(allow_open_stations=False) as house:
        assert (await knock(house, "/ocpp/CS-1"))[0] == 401
        assert (await knock(house, "/ocpp/KEY", basic(b"KEY", b"secret")))[0] == 101


async def test_without_a_common_sub_protocol_the_handshake_is_completed_and_the_connection_closed(house: House) -> None:
    async with house.station(subprotocols=["ocpp9.9"]) as station:
        assert station.socket.subprotocol is None
        await station.socket.wait_closed()
        assert station.socket.close_code == 1002
    assert house.desk.links == []


async def test_a_parked_station_is_let_in(house: House) -> None:
    async with house.station("PARKED-1") as station:
        assert (await station.call("Heartbeat", {}))["currentTime"]


async def test_a_head_that_never_ends_costs_its_sender_the_connection() -> None:
    async with open_house(handshake_within_s=0.2) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(b"GET /ocpp/CS-1 HTTP/1.1\r\n")
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(b"GET /ocpp/CS-1 HTTP/1.1\r\nx: " + b"y" * 10_000)
        assert b" 431 " in await asyncio.wait_for(reader.read(), 3)
        writer.close()


async def test_what_comes_right_behind_the_handshake_is_not_lost(house: House) -> None:
    """A station that does not wait for our answer; frames masked with a key of zeros."""
    house.desk.admit_s = 0.05
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    call = b'[2,"1","Heartbeat",{}]'
    writer.write(head(headers={"Sec-WebSocket-Protocol": "ocpp1.6"}) + b"\r\n\r\n")
    for _ in range(200):  # more than the first read buffer holds
        writer.write(b"\x81" + bytes([0x80 | len(call)]) + b"\0\0\0\0" + call)
    await house.until(lambda: len(house.desk.heard) == 200)
    writer.close()


@pytest.mark.parametrize(
    ("trusted", "address"), [((), "127.0.0.1"), (("127.0.0.1",), "192.0.2.7"), (("192.0.2.1",), "127.0.0.1")]
)
async def test_only_a_trusted_proxy_is_believed_where_a_station_is(trusted: tuple[str, ...], address: str) -> None:
    async with open_house(trusted_proxies=trusted) as house:
        headers = {"Sec-WebSocket-Protocol": "ocpp1.6", "X-Forwarded-For": "198.51.100.1, 192.0.2.7"}
        assert (await knock(house, headers=headers))[0] == 101
        await house.until(lambda: house.desk.addresses)
        assert house.desk.addresses[0].startswith(address)
