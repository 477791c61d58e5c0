"""Sessions to test with: a start at a 22 kW connector, and readings of it."""

from datetime import UTC, datetime, timedelta

from chargewire.charging.location import Connector, Evse, GeoLocation, Location
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Started, Stopped
from chargewire.charging.token import TokenRef

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday

CONNECTOR = Connector(
    id="1", connector_id=1, standard="IEC_62196_T2", format="SOCKET", power_type="AC_3_PHASE", voltage=230, amperage=32
)
EVSE = Evse(uid="NL-AAA-ECS1-1", location_id="L1", station_id="CS-1", connectors=(CONNECTOR,))
LOCATION = Location(
    id="L1",
    type="ON_STREET",
    address="Damrak 1",
    city="Amsterdam",
    postal_code="1012 LG",
    country="NLD",
    coordinates=GeoLocation("52.3757", "4.8953"),
    time_zone="Europe/Amsterdam",
)


def started(
    register_wh: int | None = 0, at: datetime = NOON, *, accepted: bool = True, connector: Connector = CONNECTOR
) -> Started:
    return Started(
        session_id="NLAAA0001",
        station_id="CS-1",
        connector_number=1,
        transaction_id="42",
        at=at,
        register_wh=register_wh,
        token=TokenRef(uid="04AB", auth_id="NL-EMS-C0001-X", emsp="NL-EMS"),
        token_accepted=accepted,
        auth_method="AUTH_REQUEST",
        location=LOCATION,
        evse=EVSE,
        connector=connector,
        currency="EUR",
    )


def stopped(minutes: float, register_wh: int | None, at: datetime = NOON) -> Stopped:
    return Stopped(at=at + timedelta(minutes=minutes), register_wh=register_wh)


def energy(minutes: float, wh: float, *, context: str = "Sample.Periodic", at: datetime = NOON) -> Reading:
    """One energy register, `minutes` after noon."""
    return Reading(at + timedelta(minutes=minutes), (Sample(str(wh), context=context),))


def full(minutes: float, wh: float, watts: float, amperes: float = 16, at: datetime = NOON) -> Reading:
    """Register, power and three currents, as a station with a good meter sends them."""
    return Reading(
        at + timedelta(minutes=minutes),
        (
            Sample(str(wh)),
            Sample(str(watts), "Power.Active.Import", "W"),
            *(Sample(str(amperes), "Current.Import", "A", phase=phase) for phase in ("L1", "L2", "L3")),
        ),
    )
