"""How sessions begin, go on and end: each function decides what one fact changes and puts it into the draft.

Every start, reading and stop is acknowledged, whatever it says: what cannot be used is kept as a message and flagged.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from chargewire.charging.clock import sensible, sensible_readings
from chargewire.charging.facts import Begun, Metered, Noted, SessionEnded, SessionStarted, Verdict
from chargewire.charging.flags import CLOCK_UNSET, NO_TARIFF, NO_TIME, STOPPED_BY_OTHER, UNPRICEABLE
from chargewire.charging.location import Connector, Evse, Location
from chargewire.charging.reading import Reading
from chargewire.charging.session import Session, SessionStatus, Started, Stopped
from chargewire.charging.token import Allowed, Token
from chargewire.charging.tokens import verdict
from chargewire.csms.directory import Directory
from chargewire.csms.draft import Draft
from chargewire.csms.holding import Holding, place_of
from chargewire.csms.ids import new_session_id, new_transaction_id, session_ref
from chargewire.csms.registry import find_token
from chargewire.csms.running import Running, readings_of, session_write
from chargewire.csms.signed import SignedUrl, keep_signed, nowhere
from chargewire.csms.tariffs import Chosen, cdr_write, priced, tariffs_for
from chargewire.csms.tokens import TOKEN_REFUSED, Judge, Judged, Shown
from chargewire.csms.waiting import waiting_for
from chargewire.journal.memory import Journal, NewReading, Ref, Stored, Write
from chargewire.journal.stamps import to_stamp

replace = msgspec.structs.replace
_location = msgspec.json.Decoder(Location)
_session = msgspec.json.Decoder(Session)
_token = msgspec.json.Decoder(Token)
_CLOCK_SLACK_S = 60.0
TIMELESS = (NO_TIME, CLOCK_UNSET)  # such a start looks like the one before it: it repeats one that runs, else it is a new one


class Desk:
    """What the decisions need: memory, who is who, who may charge, and where signed meter values can be read."""

    __slots__ = ("directory", "journal", "judge", "signed_url")

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        signed_url: SignedUrl = nowhere,
    ) -> None:
        self.journal = journal
        self.directory = directory
        self.signed_url = signed_url
        self.judge = Judge(journal, directory, clock)


async def admit(desk: Desk, held: Holding, token_uid: str, heard_at: datetime) -> tuple[Verdict, list[str]]:
    """A driver asks to be let in."""
    location = await desk.journal.get(Ref("location", held.owner, held.place))
    place = _location.decode(location.body) if location else None
    judged = await desk.judge.judge(Shown(held.owner, held.station.id, token_uid, heard_at, place))
    return Verdict(judged.allowed, judged.expires_at, judged.token.group_id), list(judged.flags)


async def begin(desk: Desk, held: Holding, draft: Draft, fact: SessionStarted, heard_at: datetime) -> tuple[Begun, list[str]]:
    """A start: a new session, or the one that this very start began before (the answer got lost; habit 3)."""
    at, flag = sensible(fact.at, heard_at)
    flags = [flag] if flag else []
    key = _start_key(held, fact)
    before = await desk.journal.find("start", key)
    if before and not (flag in TIMELESS and before.state == SessionStatus.COMPLETED):
        started = _session.decode(before.body).started
        allowed = Allowed.ACCEPTED if started.token_accepted else Allowed.INVALID
        return Begun(started.transaction_id, allowed, group_id=started.token.group_id), ["start-repeated"]
    place = await place_of(desk.journal, held, fact.connector_number)
    where = (place[0], place[1].uid) if place else (None, "")
    judged = await desk.judge.judge(Shown(held.owner, held.station.id, fact.token_uid, at, *where))
    flags += judged.flags
    transaction_id = await _free_transaction_id(desk.journal, held)
    begun = Begun(transaction_id, judged.allowed, judged.expires_at, judged.token.group_id)
    if place is None:
        return begun, ["connector-undeclared"]
    chosen = await tariffs_for(desk.journal, desk.directory, held.owner, place[2], judged.token, at)
    flags += chosen.flags
    started = await _started(desk, held, fact, at, place, judged, transaction_id, chosen)
    ref = session_ref(started.session_id)
    draft.name("start", key, ref, before.ref if before else None)
    draft.name("transaction", f"{held.station.id}/{transaction_id}", ref)
    running = Running(ref, 0, started, flags)
    if not started.token_accepted:  # never billed and so final: what follows is kept, and changes nothing
        invalid = replace(running.session(), status=SessionStatus.INVALID, total_cost=None)
        draft.write(session_write(ref, invalid, 0, "end"))
        return begun, [*flags, TOKEN_REFUSED]
    _supersede(desk, held, draft, started)
    draft.write(running.write(running.session(), "start"), running.written)
    held.by_transaction[transaction_id] = running
    now_running = held.station.running | {fact.connector_number: started.session_id}
    held.become(draft, replace(held.station, running=now_running))
    return begun, flags


async def meter(desk: Desk, held: Holding, draft: Draft, fact: Metered, heard_at: datetime) -> tuple[Noted, list[str]]:
    """Readings: kept, and counted in the session that they belong to if it still runs."""
    readings, flag = sensible_readings(fact.readings, heard_at)
    flags = [flag] if flag else []
    if not readings:
        return Noted(), ["no-readings"]
    running = _running_for(held, fact.transaction_id, fact.connector_number, readings[0].at)
    if running is None:
        flags += await _keep_for_none(desk, held, draft, fact, readings)
        return Noted(), flags
    flags += _count(held, draft, running, fact.connector_number, readings)
    urgent = running.tally.urgent()
    if urgent or running.due():
        draft.write(running.write(running.session(), "parking" if urgent else "progress"), running.written, place=running.place)
    return Noted(), flags


async def finish(desk: Desk, held: Holding, draft: Draft, fact: SessionEnded, heard_at: datetime) -> tuple[Verdict, list[str]]:
    """A stop: the session is closed and priced at once; a stop of what is closed or unknown is only kept (habits 5, 6)."""
    readings, flag = sensible_readings(fact.readings, heard_at)
    flags = [flag] if flag else []
    at, flag = sensible(fact.at, heard_at)
    running = held.by_transaction.get(fact.transaction_id) if fact.transaction_id else _only_candidate(held, fact, at)
    answer, by_other = await _stopped_by(desk, held, fact, at, running)
    if running is None:
        late = await _closed(desk.journal, held, fact.transaction_id)
        if readings:
            draft.reading(_row(held, draft, 0, late.ref.key if late else "", readings))
        return answer, [*flags, "stop-repeated" if late else "stop-of-unknown"]
    if not fact.transaction_id:
        flags.append("transaction-id-lost")
    number = running.started.connector_number
    if readings:
        _count(held, draft, running, number, readings)
    stopped = Stopped(at=at, register_wh=fact.register_wh, reason=fact.reason, token_uid=fact.token_uid)
    flags += [*([flag] if flag else []), *([STOPPED_BY_OTHER] if by_other else [])]
    close(desk, held, draft, running, stopped, flags)
    return answer, flags


async def _stopped_by(
    desk: Desk, held: Holding, fact: SessionEnded, at: datetime, running: Running | None
) -> tuple[Verdict, bool]:
    """What the token that ended a session is worth, and whether it had no business to end it.

    By what we know: nobody has to be asked whether one may stop.
    """
    if not fact.token_uid:
        return Verdict(None), False
    own = running.started if running else None
    if own is not None and own.token.uid.casefold() == fact.token_uid.casefold():
        return Verdict(Allowed.ACCEPTED if own.token_accepted else Allowed.INVALID, group_id=own.token.group_id), False
    stored = await find_token(desk.journal, desk.directory, held.owner, fact.token_uid)
    token = _token.decode(stored.body) if stored else None
    same_group = own is not None and token is not None and token.group_id is not None and token.group_id == own.token.group_id
    worth = Verdict(verdict(token, at), token.expires_at if token else None, token.group_id if token else None)
    return worth, own is not None and not same_group


def close(desk: Desk, held: Holding, draft: Draft, running: Running, stopped: Stopped, flags: Sequence[str] = ()) -> None:
    """Complete a session, with its CDR in the same unit; what cannot be priced waits, for all to see."""
    session = running.session(stopped, flags)
    tariff = running.started.tariff
    cdr = priced(session, tariff) if tariff else None
    signed_at = keep_signed(draft, running, desk.signed_url)
    if cdr:
        cdr = replace(cdr, remark=signed_at)
        session = replace(session, total_cost=cdr.cost.excl_vat)
        draft.write(cdr_write(running.ref.owner, cdr, desk.directory.cpo(running.ref.owner)), place=running.place)
    else:
        why = UNPRICEABLE if tariff else NO_TARIFF
        session = replace(session, flags=tuple(sorted({*session.flags, why})))
        ref = Ref("waiting", running.ref.owner, running.ref.key)
        draft.write(Write(ref=ref, content=waiting_for(running.started, why), expect=0, what="new"), place=running.place)
    draft.write(running.write(session, "end"), running.written, place=running.place)
    held.by_transaction.pop(running.started.transaction_id, None)
    left = {number: key for number, key in held.station.running.items() if key != running.ref.key}
    held.become(draft, replace(held.station, running=left))


def _start_key(held: Holding, fact: SessionStarted) -> str:
    sent_at = fact.at.isoformat() if fact.at else ""
    return f"{held.station.id}/{fact.connector_number}/{fact.token_uid.casefold()}/{fact.register_wh}/{sent_at}"


async def _started(
    desk: Desk,
    held: Holding,
    fact: SessionStarted,
    at: datetime,
    place: tuple[Location, Evse, Connector],
    judged: Judged,
    transaction_id: str,
    chosen: Chosen,
) -> Started:
    location, evse, connector = place
    tariff = chosen.wholesale
    boot, cpo = held.station.boot, desk.directory.cpo(held.owner)
    return Started(
        session_id=new_session_id(held.owner),
        station_id=held.station.id,
        connector_number=fact.connector_number,
        transaction_id=transaction_id,
        at=at,
        register_wh=fact.register_wh,
        token=judged.token,
        token_accepted=judged.allowed is Allowed.ACCEPTED,
        auth_method="AUTH_REQUEST" if judged.by_request else "WHITELIST",
        location=location,
        evse=evse,
        connector=connector,
        currency=tariff.currency if tariff else (cpo.currency if cpo else "EUR"),
        meter_id=boot.meter_serial_number if boot else None,
        tariff=tariff,
        retail_tariff=chosen.retail,
        reimbursement_tariff=chosen.reimbursement,
    )


def _supersede(desk: Desk, held: Holding, draft: Draft, started: Started) -> None:
    """A newer start closes what still runs on its connector, from the last reading (habit 4)."""
    old = held.running_on(started.connector_number)
    if old:
        close(desk, held, draft, old, old.tally.closed_from_last(), ["closed-by-next-start"])


async def _free_transaction_id(journal: Journal, held: Holding) -> str:
    while True:
        transaction_id = new_transaction_id()
        if await journal.find("transaction", f"{held.station.id}/{transaction_id}") is None:
            return transaction_id


def _running_for(held: Holding, transaction_id: str | None, connector_number: int, at: datetime) -> Running | None:
    """By its id; without one, what runs on the connector and had begun by then (habits 7, 8, 10)."""
    if transaction_id:
        return held.by_transaction.get(transaction_id)
    running = held.running_on(connector_number)
    begun = running and (running.started.at - at).total_seconds() <= _CLOCK_SLACK_S
    return running if begun else None


def _only_candidate(held: Holding, fact: SessionEnded, at: datetime) -> Running | None:
    """The one session that a stop without an id can mean: never a guess between two (habits 6, 7)."""
    could_be = [
        run
        for run in held.by_transaction.values()
        if (run.started.at - at).total_seconds() <= _CLOCK_SLACK_S
        and (fact.register_wh is None or run.started.register_wh is None or fact.register_wh >= run.started.register_wh)
    ]
    return could_be[0] if len(could_be) == 1 else None


async def _closed(journal: Journal, held: Holding, transaction_id: str | None) -> Stored | None:
    return await journal.find("transaction", f"{held.station.id}/{transaction_id}") if transaction_id else None


async def _keep_for_none(desk: Desk, held: Holding, draft: Draft, fact: Metered, readings: tuple[Reading, ...]) -> list[str]:
    """Keep readings of no running session; those that a closed one already has are not kept twice."""
    closed = await _closed(desk.journal, held, fact.transaction_id)
    row = _row(held, draft, fact.connector_number, closed.ref.key if closed else "", readings)
    if closed is None:
        draft.reading(row)
        return ["readings-of-unknown"] if fact.transaction_id else []
    async for known in readings_of(desk.journal, closed):
        if known.connector == row.connector and known.samples == row.samples:
            return ["readings-repeated"]
    draft.reading(row)
    return ["readings-late"]


def _count(held: Holding, draft: Draft, running: Running, number: int, readings: tuple[Reading, ...]) -> list[str]:
    row = _row(held, draft, number, running.ref.key, readings)
    if not running.hears(number, row.samples, readings):
        return ["readings-repeated"]
    draft.reading(row)
    return []


def _row(held: Holding, draft: Draft, connector_number: int, session_id: str, readings: tuple[Reading, ...]) -> NewReading:
    return NewReading(
        owner=session_ref(session_id).owner if session_id else held.owner,  # also when its station has gone to another CPO
        station=held.station.id,
        evse=held.evse_uid(connector_number),
        connector=connector_number,
        session=session_id,
        at=to_stamp(readings[0].at),
        samples=msgspec.json.encode(readings),
        message_id=draft.message_id,
    )
