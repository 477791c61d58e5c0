"""A load of charge stations that costs little itself: OCPP 1.6 frames made from a template, one call in flight each.

Prints one line of JSON. Runs as its own process, so that its work is not counted as the server's:

python -m bench.load --url ws://127.0.0.1:9000/ocpp --pid 4711 --stations 1000 --seconds 20
"""

import argparse
import asyncio
import json
import time
from array import array
from datetime import UTC, datetime

import uvloop
from msgspec import Struct, field
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.measure import cpu_seconds, pin, share

BOOT = b'[2,"boot","BootNotification",{"chargePointVendor":"Bench","chargePointModel":"Load"}]'
STATUS = b'[2,"status","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Preparing"}]'
START = '[2,"start","StartTransaction",{{"connectorId":1,"idTag":"{token}","meterStart":0,"timestamp":"{at}"}}]'
METER = (
    b'[2,"%d","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%s","sampledValue":['
    b'{"value":"%d","measurand":"Energy.Active.Import.Register","unit":"Wh"},'
    b'{"value":"11040.0","measurand":"Power.Active.Import","unit":"W"},'
    b'{"value":"16.0","measurand":"Current.Import","phase":"L1","unit":"A"}]}]}]'
)
CONNECT_AT_ONCE = 50


class Options(Struct, frozen=True, kw_only=True):
    url: str
    pid: int  # the server's process, whose CPU seconds are read
    stations: int
    seconds: float
    warm_up_s: float
    token: str
    prefix: str
    bare: bool  # the server knows no OCPP: send MeterValues at once, take any answer


class Tally(Struct):
    """What all stations have counted together."""

    answered: int = 0
    refused: int = 0
    closed: int = 0
    running: bool = False
    latencies: "array[float]" = field(default_factory=lambda: array("d"))  # seconds, of the calls answered within the window


class Now:
    """The time as OCPP writes it, in milliseconds; the seconds are formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def __call__(self) -> bytes:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return b"%s.%03dZ" % (self._text.encode(), int((now - second) * 1000))


class Station(WSListener):
    """One station: boots, starts a transaction, then sends one MeterValues after the other while the tally runs."""

    def __init__(self, options: Options, tally: Tally, now: Now) -> None:
        self.started = asyncio.get_running_loop().create_future()
        self.open = True
        self._options = options
        self._tally = tally
        self._now = now
        self._transaction = 0
        self._sent = 0
        self._sent_at = 0.0
        self._transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._options.bare:
            self.started.set_result(None)
        else:
            transport.send(WSMsgType.TEXT, BOOT)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        if frame.msg_type != WSMsgType.TEXT:
            return
        if self._sent:
            self._metered(frame)
        else:
            self._begun(transport, frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.open = False
        self._tally.closed += 1
        if not self.started.done():
            self.started.set_exception(ConnectionError("the server hung up before the transaction started"))

    def meter(self) -> None:
        """Send the next MeterValues: a register that rises by 1 Wh, at this moment."""
        self._sent += 1
        text = METER % (self._sent, self._transaction, self._now(), self._sent)
        self._sent_at = time.perf_counter()
        self._transport.send(WSMsgType.TEXT, text)

    def close(self) -> None:
        if self.open:
            self._transport.send_close(WSCloseCode.GOING_AWAY)
            self._transport.disconnect()

    def _begun(self, transport: WSTransport, payload: bytes) -> None:
        message = json.loads(payload)
        if message[0] == 2:  # the server asks something (TriggerMessage, GetConfiguration …)
            transport.send(WSMsgType.TEXT, json.dumps([4, message[1], "NotSupported", "", {}]).encode())
        elif message[0] != 3:
            self.started.set_exception(RuntimeError(f"refused: {message}"))
        elif message[1] == "boot":
            transport.send(WSMsgType.TEXT, STATUS)
        elif message[1] == "status":
            text = START.format(token=self._options.token, at=self._now().decode())
            transport.send(WSMsgType.TEXT, text.encode())
        else:
            self._transaction = message[2]["transactionId"]
            self.started.set_result(None)

    def _metered(self, frame: WSFrame) -> None:
        head = frame.get_payload_as_bytes()[:3] if not self._options.bare else b"[3,"
        if head == b"[2,":
            return  # a call of the server: this load is a station that never answers it
        tally = self._tally
        tally.answered += 1
        if head != b"[3,":
            tally.refused += 1
        tally.latencies.append(time.perf_counter() - self._sent_at)
        if tally.running:
            self.meter()


async def connected(options: Options, tally: Tally) -> list[Station]:
    """All stations, each with its transaction running."""
    now = Now()
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def connect(number: int) -> Station:
        async with gate:
            station = Station(options, tally, now)
            await ws_connect(
                lambda: station,
                f"{options.url}/{options.prefix}{number}",
                extra_headers={"Sec-WebSocket-Protocol": "ocpp1.6"},
                websocket_handshake_timeout=60,
                read_buffer_init_size=2048,
            )
            await asyncio.wait_for(station.started, 60)
            return station

    return await asyncio.gather(*(connect(number) for number in range(options.stations)))


async def measured(options: Options) -> dict[str, float]:
    """Connect, warm up, count for the window."""
    tally = Tally()
    begun = time.perf_counter()
    stations = await connected(options, tally)
    connect_s = time.perf_counter() - begun
    tally.running = True
    for station in stations:
        station.meter()
    await asyncio.sleep(options.warm_up_s)
    tally.latencies = array("d")
    counted, cpu, clock = tally.answered, cpu_seconds(options.pid), time.perf_counter()
    await asyncio.sleep(options.seconds)
    counted, cpu, clock = tally.answered - counted, cpu_seconds(options.pid) - cpu, time.perf_counter() - clock
    latencies = list(tally.latencies)
    tally.running = False
    await asyncio.sleep(1)
    closed = tally.closed
    for station in stations:
        station.close()
    return {
        "connect_s": connect_s,
        "messages": counted,
        "seconds": clock,
        "cpu_s": cpu,
        "per_s": counted / clock,
        "per_cpu_s": counted / cpu if cpu else 0.0,
        "p50_ms": share(latencies, 0.5) * 1000,
        "p99_ms": share(latencies, 0.99) * 1000,
        "refused": tally.refused,
        "closed": closed,
        "answered": tally.answered,
        "load_cpu": time.process_time(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--stations", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--warm-up", type=float, default=3)
    parser.add_argument("--token", default="BENCH")
    parser.add_argument("--prefix", default="BENCH-")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--core", type=int, default=1)
    given = parser.parse_args()
    pin(given.core)
    options = Options(
        url=given.url,
        pid=given.pid,
        stations=given.stations,
        seconds=given.seconds,
        warm_up_s=given.warm_up,
        token=given.token,
        prefix=given.prefix,
        bare=given.bare,
    )
    print(json.dumps(uvloop.run(measured(options))), flush=True)


if __name__ == "__main__":
    main()
