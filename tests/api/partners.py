"""Roaming partners that are connected already, and objects as they say them."""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from api.house import House
from chargewire.charging.token import Token
from chargewire.journal.memory import Ref
from chargewire.sharing.subscription import Emsp, IssuedToken, Roaming, Subscription

CPO, EMSP = "/ocpi/cpo/2.1.1", "/ocpi/emsp/2.1.1"
ALL = "date_from=2020-01-01T00:00:00Z"


async def connect(house: House, role: str, party: str, partner: str, **more: Any) -> str:
    """A live connection between a party of ours and one of theirs; gives the token that they call with."""
    token, connection_id = token_hex(16), more.pop("id", token_hex(6))
    content = Subscription(
        id=connection_id,
        name=f"{party} with {partner}",
        network_id="demo",
        state=more.pop("state", "live"),
        tokens=(IssuedToken(hash=house.keys.hash(token), created_at=datetime(2026, 11, 24, tzinfo=UTC)),),
        roaming=Roaming(role=role, party=party, partner=partner, state="connected", **more),
    )
    await house.registry.keep(Ref("subscription", "", connection_id), content)
    return token


async def with_emsp(house: House, party: str = "NL-OUR", *uids: str) -> None:
    """An eMSP of ours with some tokens."""
    await house.registry.keep(Ref("emsp", "", party), Emsp(party=party, name=party, network_ids=("demo",)))
    for uid in uids:
        token = Token(uid=uid, type="RFID", auth_id=f"{party}-{uid}", issuer=party, valid=True, whitelist="ALLOWED")
        await house.registry.keep(Ref("token", party, uid), token, place=f"tokens/{party}")


def at(second: int) -> str:
    """A moment of the day on which the tests are set."""
    return f"2026-11-24T08:{second // 60:02}:{second % 60:02}Z"


def connector(connector_id: str = "1", second: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": connector_id,
        "standard": "IEC_62196_T2",
        "format": "CABLE",
        "power_type": "AC_3_PHASE",
        "voltage": 230,
        "amperage": 32,
        "last_updated": at(second),
        **more,
    }


def evse(uid: str = "E1", second: int = 0, **more: Any) -> dict[str, Any]:
    base = {"uid": uid, "status": "AVAILABLE", "connectors": [connector(second=second)], "last_updated": at(second)}
    return base | more


def location(location_id: str = "L1", second: int = 0, **more: Any) -> dict[str, Any]:
    base = {
        "id": location_id,
        "type": "ON_STREET",
        "address": "Marktplatz 1",
        "city": "Köln",
        "postal_code": "50667",
        "country": "DEU",
        "coordinates": {"latitude": "50.938300", "longitude": "6.959900"},
        "evses": [evse(second=second)],
        "last_updated": at(second),
    }
    return base | more


def session(session_id: str = "S1", second: int = 0, **more: Any) -> dict[str, Any]:
    base = {
        "id": session_id,
        "start_datetime": at(0),
        "kwh": 1.5,
        "auth_id": "NL-OUR-C1",
        "auth_method": "WHITELIST",
        "location": location(),
        "currency": "EUR",
        "status": "ACTIVE",
        "last_updated": at(second),
    }
    return base | more


def cdr(cdr_id: str = "C1", **more: Any) -> dict[str, Any]:
    period = {"start_date_time": at(0), "dimensions": [{"type": "ENERGY", "volume": 2.0}, {"type": "TIME", "volume": 0.5}]}
    base = {
        "id": cdr_id,
        "start_date_time": at(0),
        "stop_date_time": at(1800),
        "auth_id": "NL-OUR-C1",
        "auth_method": "WHITELIST",
        "location": location(),
        "currency": "EUR",
        "tariffs": [tariff()],
        "charging_periods": [period],
        "total_cost": 0.6,
        "total_energy": 2.0,
        "total_time": 0.5,
        "last_updated": at(1801),
    }
    return base | more


def tariff(tariff_id: str = "T1", second: int = 0, **more: Any) -> dict[str, Any]:
    elements = [{"price_components": [{"type": "ENERGY", "price": 0.3, "step_size": 1}]}]
    return {"id": tariff_id, "currency": "EUR", "elements": elements, "last_updated": at(second), **more}


def token(uid: str = "04AB", second: int = 0, **more: Any) -> dict[str, Any]:
    base = {
        "uid": uid,
        "type": "RFID",
        "auth_id": f"DE-EMS-{uid}",
        "issuer": "Die Karte",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": at(second),
    }
    return base | more
