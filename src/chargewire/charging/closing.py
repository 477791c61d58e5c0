"""The end of a session: its charge detail record."""

from hashlib import sha256

from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.plausible import max_power_w
from chargewire.charging.session import Session, SessionStatus

SMALL_WH = 200
SMALL_S = 120


def cdr_id_of(session_id: str) -> str:
    """The id of a session's CDR: 32 hexadecimal digits that follow from the session's id, so that none has two."""
    return sha256(b"cdr " + session_id.encode()).hexdigest()[:32]


def cdr_of(session: Session, cost: Cost) -> Cdr:
    """The CDR of a completed session.

    Times are whole seconds; `total_time_s` is charging and not charging, `parking_time_s` the part without energy flow.
    Raises ValueError for a session that runs or will not be billed.
    """
    stopped, started = session.stopped, session.started
    if session.status is not SessionStatus.COMPLETED or stopped is None:
        raise ValueError(f"session {session.id} is {session.status}")
    return Cdr(
        id=cdr_id_of(session.id),
        session_id=session.id,
        start=started.at,
        stop=stopped.at,
        station_id=started.station_id,
        location=started.location,
        evse=started.evse,
        connector=started.connector,
        token=started.token,
        auth_method=started.auth_method,
        currency=cost.currency,
        energy_wh=session.energy_wh,
        total_time_s=sum(period.charging_s + period.parking_s for period in session.periods),
        parking_time_s=sum(period.parking_s for period in session.periods),
        periods=session.periods,
        cost=cost,
        tariff=started.tariff,
        meter_id=started.meter_id,
        max_power_w=max_power_w(session.periods) or None,
        flags=session.flags,
    )


def is_small(cdr: Cdr) -> bool:
    """Whether a CDR misses both limits, 0.2 kWh and 2 minutes: such are held back where a CPO does not publish all."""
    return cdr.energy_wh < SMALL_WH and cdr.total_time_s < SMALL_S
