"""A station as the standard asks for one: it keeps its transaction messages and sends them until they are acknowledged.

Plain JSON over the `websockets` package, so that the journeys that kill the server do not lean on our own protocol code.
"""

import asyncio
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import websockets

from journeys.foreign_station import moment


@dataclass
class Charged:
    """A session as its station remembers it."""

    transaction_id: int
    start_wh: int
    registers: list[int] = field(default_factory=list)  # acknowledged readings
    stop_wh: int | None = None  # acknowledged stop


class StubbornStation:
    """Charges again and again until told to finish; every call is repeated over new connections until it is answered."""

    def __init__(self, ocpp_url: str, station_id: str, uid: str) -> None:
        self._url = f"{ocpp_url}/{station_id}"
        self.station_id = station_id
        self._uid = uid
        self._socket: Any = None
        self._numbers = itertools.count(1)
        self._register = 0
        self._clock = datetime.now(UTC) - timedelta(hours=20)
        self.charged: list[Charged] = []
        self.acknowledged: Counter[str] = Counter()
        self.finishing = False

    async def run(self, readings: int = 4, pause_s: float = 0.02) -> None:
        """Sessions one after the other; ends after the session during which `finishing` was set."""
        await self.call("BootNotification", {"chargePointVendor": "Stubborn", "chargePointModel": "S"})
        while not self.finishing:
            start = {"connectorId": 1, "idTag": self._uid, "meterStart": self._register, "timestamp": self._tick()}
            answer = await self.call("StartTransaction", start)
            assert answer["idTagInfo"]["status"] == "Accepted", answer
            session = Charged(answer["transactionId"], self._register)
            self.charged.append(session)
            for _ in range(readings):
                await asyncio.sleep(pause_s)
                await self.meter(session)
            stop = {"transactionId": session.transaction_id, "meterStop": self._register, "timestamp": self._tick()}
            await self.call("StopTransaction", stop)
            session.stop_wh = self._register
        if self._socket:
            await self._socket.close()

    async def meter(self, session: Charged) -> None:
        """One MeterValues with the register 250 Wh further on."""
        self._register += 250
        sample = {"value": str(self._register), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        await self.call(
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": session.transaction_id,
                "meterValue": [{"timestamp": self._tick(), "sampledValue": [sample]}],
            },
        )
        session.registers.append(self._register)

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        """The answer's payload, however often it takes."""
        while True:
            try:
                if self._socket is None:
                    self._socket = await websockets.connect(self._url, subprotocols=["ocpp1.6"], open_timeout=5)  # type: ignore[list-item]
                number = f"{self.station_id}-{next(self._numbers)}"
                await self._socket.send(json.dumps([2, number, action, payload]))
                while True:
                    frame = json.loads(await asyncio.wait_for(self._socket.recv(), 10))
                    if frame[1] == number:
                        assert frame[0] == 3, frame
                        self.acknowledged[action] += 1
                        return frame[2]
                    if frame[0] == 2:  # something we are asked: not implemented here
                        await self._socket.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))
            except (OSError, TimeoutError, websockets.WebSocketException):
                self._socket = None
                await asyncio.sleep(0.1)

    def _tick(self) -> str:
        self._clock += timedelta(seconds=60)
        return moment(self._clock)
