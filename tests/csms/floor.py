"""One station with two connectors on a real journal, and the CSMS that hears it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from chargewire.charging.cdr import Cdr
from chargewire.charging.facts import Begun, Fact, Metered, Reply, SessionEnded, SessionStarted, StatusReported, Verdict
from chargewire.charging.location import Evse, Station, Status
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Session
from chargewire.csms.desk import Csms, CsmsSettings
from chargewire.csms.directory import Directory
from chargewire.csms.parties import put_cpo, put_emsp, put_network
from chargewire.csms.places import put_location
from chargewire.csms.port import Heard, StationLink
from chargewire.csms.registry import Registry
from chargewire.csms.signed import SignedLinks
from chargewire.csms.tariff_input import put_tariff
from chargewire.csms.token_input import put_token
from chargewire.csms.waiting import price_waiting
from chargewire.journal.memory import Journal, ListQuery, LogQuery, MessageRow, ReadingRow, Ref
from chargewire.sharing.keys import Keys

CPO = "NL-AAA"
UID = "04AABBCC"


class Floor:
    """`starts`, `meters`, `stops` and `says` are what the station tells; the rest asks what came of it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self._keys = Keys(b"k" * 32)
        self.directory = Directory(journal, self._keys)
        self.registry = Registry(journal, self.directory, self._keys)
        self.link: StationLink

    async def furnish(self) -> None:
        await self.directory.load()
        await put_network(self.registry, "demo", b'{"name": "Demo"}')
        await put_emsp(self.registry, "NL-EMS", b'{"name": "eMSP", "network_ids": ["demo"]}')
        await self.publish_all_cdrs(True)
        await self.put_tariff("T1", "0.30")
        await put_location(self.registry, "LOC1", msgspec.json.encode(_location()))
        token = {"uid": UID, "type": "RFID", "auth_id": "NL-EMS-C1-X", "issuer": "e", "valid": True, "whitelist": "ALWAYS"}
        await put_token(self.registry, "NL-EMS", UID, msgspec.json.encode(token))
        self._begin()
        await self.connects()

    def _begin(self) -> None:
        self.csms = Csms(
            self.journal,
            self.directory,
            self._keys,
            CsmsSettings(tick_s=3600, silent_at_least_s=0, heartbeat_s=0),
            lambda: self.now,
            SignedLinks(self._keys, "https://charge.example/").url,
        )

    async def connects(self) -> None:
        admission = await self.csms.admit("cs-1")
        assert admission is not None
        assert admission.station_id == "CS-1"
        self.link = await self.csms.connect(admission, "ocpp1.6", "127.0.0.1")

    async def leaves(self) -> None:
        await self.link.close("gone")

    async def silence(self) -> None:
        await self.csms._tell_silent()

    async def restart(self) -> None:
        """As after a kill: what was only in memory is lost."""
        self._begin()
        await self.connects()

    async def tell(self, fact: Fact, action: str) -> Any:
        said: list[Reply] = []

        def answer(reply: Reply) -> bytes:
            said.append(reply)
            return b"{}"

        await self.link.hear(Heard(fact=fact, action=action, message_id="m", call=b"{}", answer=answer))
        return said[-1]

    async def starts(self, uid: str = UID, register_wh: int = 0, at: datetime | None = None, connector: int = 1) -> Begun:
        fact = SessionStarted(connector_number=connector, token_uid=uid, register_wh=register_wh, at=at)
        begun = await self.tell(fact, "StartTransaction")
        assert isinstance(begun, Begun)
        return begun

    async def meters(self, transaction_id: str | None, register_wh: int, at: datetime, connector: int = 1) -> None:
        reading = Reading(at, (Sample(str(register_wh)),))
        fact = Metered(connector_number=connector, transaction_id=transaction_id, readings=(reading,))
        await self.tell(fact, "MeterValues")

    async def stops(self, transaction_id: str | None, register_wh: int, at: datetime) -> Verdict:
        fact = SessionEnded(transaction_id=transaction_id, register_wh=register_wh, at=at)
        verdict = await self.tell(fact, "StopTransaction")
        assert isinstance(verdict, Verdict)
        return verdict

    async def says(self, status: Status, connector: int = 1) -> None:
        await self.tell(StatusReported(connector_number=connector, status=status, at=self.now), "StatusNotification")

    async def flush(self) -> None:
        """Let what was heard and not written be written."""
        await self.link.close("pause")
        await self.connects()

    async def sessions(self) -> list[Session]:
        return await self._all("session", Session)

    async def cdrs(self, kind: str = "cdr") -> list[Cdr]:
        return await self._all(kind, Cdr)

    async def _all(self, kind: str, shape: type) -> list[Any]:
        page = await self.journal.walk(ListQuery(kind=kind, owners=(CPO,)))
        return [msgspec.json.decode(stored.body, type=shape) for stored in page.rows]

    async def status(self) -> Status:
        stored = await self.journal.get(Ref("evse", CPO, "NL-AAA-ECS-1-1"))
        assert stored is not None
        return msgspec.json.decode(stored.body, type=Evse).status

    async def station(self) -> Station:
        stored = await self.journal.find("station", "cs-1")
        assert stored is not None
        return msgspec.json.decode(stored.body, type=Station)

    async def readings(self, session_id: str) -> list[ReadingRow]:
        return (await self.journal.readings(LogQuery(owners=(CPO,), session=session_id))).rows

    async def messages(self, action: str) -> list[MessageRow]:
        return (await self.journal.messages(LogQuery(owners=(CPO,), action=action))).rows

    async def price_waiting(self) -> int:
        return await price_waiting(self.journal, self.directory, (CPO,))

    async def put_tariff(self, tariff_id: str, per_kwh: str) -> None:
        component = {"type": "ENERGY", "price": Decimal(per_kwh), "step_size": 1}
        tariff = {"id": tariff_id, "currency": "EUR", "elements": [{"price_components": [component]}]}
        await put_tariff(self.registry, CPO, tariff_id, msgspec.json.Encoder(decimal_format="number").encode(tariff))

    async def close_place(self, *rules: dict[str, str]) -> None:
        """Let only those charge whom some rules name."""
        await put_location(self.registry, "LOC1", msgspec.json.encode(_location() | {"auth_rules": rules}))

    async def publish_all_cdrs(self, all_of_them: bool) -> None:
        body = {"network_id": "demo", "name": "CPO", "publish_all_cdrs": all_of_them}
        await put_cpo(self.registry, CPO, msgspec.json.encode(body))


def _location() -> dict[str, Any]:
    def evse(number: int) -> dict[str, Any]:
        connector = {
            "id": "1",
            "connector_id": number,
            "standard": "IEC_62196_T2",
            "format": "SOCKET",
            "power_type": "AC_3_PHASE",
            "voltage": 230,
            "amperage": 32,
            "tariff_id": f"T{number}",
        }
        return {"uid": f"NL-AAA-ECS-1-{number}", "evse_id": f"NL*AAA*ECS-1*{number}", "connectors": [connector]}

    return {
        "cpo": CPO,
        "name": "Somewhere",
        "type": "ON_STREET",
        "address": "Main Street 1",
        "city": "Utrecht",
        "postal_code": "3511 AA",
        "country": "NLD",
        "coordinates": {"latitude": "52.090737", "longitude": "5.121420"},
        "time_zone": "Europe/Amsterdam",
        "stations": [{"id": "CS-1", "evses": [evse(1), evse(2)]}],
    }


__all__ = ["CPO", "UID", "Floor", "timedelta"]
