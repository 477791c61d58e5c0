"""The WebSocket itself, over real sockets (RFC 6455)."""

import asyncio
import os
import struct

import pytest
from websockets.exceptions import ConnectionClosed

from gateway.memory_desk import House, open_house
from gateway.test_handshake import head


async def raw(house: House, station_id: str = "CS-1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection after its handshake, as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(head(f"/ocpp/{station_id}", {"Sec-WebSocket-Protocol": "ocpp1.6"}) + b"\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    key = os.urandom(4)
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    if len(payload) < 126:
        size = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        size = b"\xfe" + struct.pack("!H", len(payload))
    else:
        size = b"\xff" + struct.pack("!Q", len(payload))
    return bytes([(0x80 if final else 0) | opcode]) + size + key + masked


async def closed_with(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that ends a stream (whatever comes before it is skipped)."""
    data = await asyncio.wait_for(reader.read(), 5)
    at = data.index(b"\x88")
    return int(struct.unpack("!H", data[at + 2 : at + 4])[0])


async def test_fragments_make_one_message_and_pings_may_come_between_them(house: House) -> None:
    reader, writer = await raw(house)
    writer.write(frame(1, b'[2,"1",', final=False))
    writer.write(frame(9, b"still here?"))
    writer.write(frame(0, b'"Heart', final=False))
    writer.write(frame(0, b'beat",{}]'))
    data = await asyncio.wait_for(reader.readuntil(b'[3,"1",'), 5)
    assert data.startswith(b"\x8a\x0bstill here?")
    assert len(house.desk.heard) == 1
    writer.close()


async def test_a_character_may_be_split_over_fragments(house: House) -> None:
    _, writer = await raw(house)
    message = '[2,"1","DataTransfer",{"vendorId":"Straße"}]'.encode()
    cut = message.index(b"\x9f")
    writer.write(frame(1, message[:cut], final=False) + frame(0, message[cut:]))
    await house.until(lambda: house.desk.heard)
    assert house.desk.heard[0].call == '{"vendorId":"Straße"}'.encode()
    writer.close()


async def test_a_message_sent_as_binary_is_read_all_the_same(house: House) -> None:
    _, writer = await raw(house)
    writer.write(frame(2, b'[2,"1","Heartbeat",{}]'))
    await house.until(lambda: house.desk.heard)
    writer.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(1, b'[2,"\xff","Heartbeat",{}]'), 1007),
        (frame(1, b'[2,"\xc3', final=False) + frame(0, b'","Heartbeat",{}]'), 1007),
        (frame(0, b"x"), 1002),
        (frame(1, b"x", final=False) + frame(1, b"y"), 1002),
        (frame(3, b"x"), 1002),
        (frame(1 | 0x40, b"x"), 1002),
        (b"\x81\x01x", 1002),
        (frame(1, b"x" * 5000), 1009),
        (frame(1, b"x" * 3000, final=False) + frame(0, b"x" * 3000), 1009),
        (frame(8, struct.pack("!H", 1000)), 1000),
    ],
    ids=[
        "utf-8",
        "utf-8 in parts",
        "no beginning",
        "two beginnings",
        "opcode",
        "compressed",
        "unmasked",
        "big frame",
        "big sum",
        "goodbye",
    ],
)
async def test_a_broken_peer_is_told_what_is_wrong_and_costs_one_connection(sent: bytes, code: int) -> None:
    async with open_house(max_message_bytes=4096) as house:
        reader, writer = await raw(house)
        writer.write(sent)
        assert await closed_with(reader) == code
        writer.close()
        async with house.station("CS-2") as other:
            await other.call("Heartbeat", {})


async def test_a_message_of_almost_the_limit_arrives(house: House) -> None:
    async with house.station() as station:
        await station.call("DataTransfer", {"vendorId": "x", "data": "y" * 900_000})
    assert len(house.desk.heard[0].call) > 900_000


async def test_a_station_that_answers_no_ping_is_cut_off_and_one_that_does_is_not() -> None:
    async with open_house(ping_after_s=0.2, pong_within_s=0.2) as house:
        reader, writer = await raw(house)  # a bare socket answers nothing
        async with house.station("CS-2") as alive:
            await house.until(lambda: not house.gateway.is_connected("CS-1"))
            assert b"\x89\x00" in await asyncio.wait_for(reader.read(), 5)
            await asyncio.sleep(1)
            await alive.call("Heartbeat", {})
        assert house.gateway.metrics.silent == 1
        assert house.desk.links[0].closed == "gone"
        writer.close()


async def test_a_stop_says_goodbye_and_closes_every_link() -> None:
    async with open_house() as house, house.station() as station:
        await station.call("Heartbeat", {})
        await house.gateway.stop()
        with pytest.raises(ConnectionClosed):
            await station.receive()
        assert station.socket.close_code == 1001
        assert [link.closed for link in house.desk.links] == ["gone"]


async def test_a_station_that_does_not_read_does_not_make_us_keep_its_answers_without_end(house: House) -> None:
    """It writes without end and reads nothing: our side stops reading it, and the others go on."""
    _, writer = await raw(house)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    call = frame(1, b'[2,"1","%s",{}]' % (b"X" * 200))
    sent = 0
    try:
        async with asyncio.timeout(3):
            while sent < 400_000:
                writer.write(call * 50)
                sent += 50
                await writer.drain()
    except TimeoutError:
        pass
    assert sent < 400_000
    async with house.station("CS-2") as other:
        await other.call("Heartbeat", {})
    writer.transport.abort()
