"""Transactions of OCPP 1.6: who may charge, and what begins and ends (§4.1, §4.8, §4.10)."""

from msgspec import Struct

from chargewire.charging.facts import Begun, Reply, SessionEnded, SessionStarted, TokenShown, Verdict
from chargewire.charging.token import Allowed
from chargewire.protocols.ocpp.dialect import CannotSay, encode
from chargewire.protocols.ocpp.moments import Moment, utc, written
from chargewire.protocols.ocpp.rpc import EMPTY
from chargewire.protocols.ocpp.v16.metering import MeterValue, as_wire, readings
from chargewire.protocols.ocpp.v16.words import IdTagInfo, IdToken, Reason, transaction_id

MOST_ID_TAG = 20  # characters of an idTag (OCPP 1.6 §7.28)


class Authorize(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    id_tag: IdToken


class StartTransaction(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    connector_id: int
    id_tag: IdToken
    meter_start: int  # Wh
    timestamp: Moment
    reservation_id: int | None = None


class StopTransaction(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    transaction_id: int
    meter_stop: int  # Wh
    timestamp: Moment
    id_tag: IdToken | None = None
    reason: Reason | None = None  # left out it is Local
    transaction_data: tuple[MeterValue, ...] = ()


class AuthorizeAnswer(Struct, frozen=True, rename="camel"):
    id_tag_info: IdTagInfo


class StartTransactionAnswer(Struct, frozen=True, rename="camel"):
    transaction_id: int
    id_tag_info: IdTagInfo


class StopTransactionAnswer(Struct, frozen=True, rename="camel", omit_defaults=True):
    id_tag_info: IdTagInfo | None = None


def token_shown(message: Authorize) -> TokenShown:
    return TokenShown(message.id_tag)


def session_started(message: StartTransaction) -> SessionStarted:
    return SessionStarted(
        connector_number=message.connector_id or 0,
        token_uid=message.id_tag,
        register_wh=message.meter_start,
        at=utc(message.timestamp),
        reservation_id=message.reservation_id,
    )


def session_ended(message: StopTransaction) -> SessionEnded:
    return SessionEnded(
        transaction_id=transaction_id(message.transaction_id),
        register_wh=message.meter_stop,
        at=utc(message.timestamp),
        reason=message.reason or "Local",
        token_uid=message.id_tag or None,
        readings=readings(message.transaction_data),
    )


def authorize_answer(reply: Reply) -> bytes:
    """A verdict that says nothing counts as Invalid: an answer needs one."""
    verdict = reply if isinstance(reply, Verdict) else Verdict(None)
    return encode(AuthorizeAnswer(_id_tag_info(verdict) or IdTagInfo(status="Invalid")))


def start_answer(reply: Reply) -> bytes:
    """Always with a transaction id, whatever the token is worth (OCPP 1.6 §5.11)."""
    if not isinstance(reply, Begun):
        raise CannotSay("a start is answered with a transaction id")
    info = _id_tag_info(Verdict(reply.allowed, reply.expires_at, reply.group_id)) or IdTagInfo(status="Invalid")
    return encode(StartTransactionAnswer(int(reply.transaction_id), info))


def stop_answer(reply: Reply) -> bytes:
    info = _id_tag_info(reply) if isinstance(reply, Verdict) else None
    return encode(StopTransactionAnswer(info)) if info else EMPTY


def _id_tag_info(verdict: Verdict) -> IdTagInfo | None:
    if verdict.allowed is None:
        return None
    group = verdict.group_id
    return IdTagInfo(
        status=verdict.allowed.value,
        expiry_date=written(verdict.expires_at) if verdict.expires_at else None,
        parent_id_tag=group if group and len(group) <= MOST_ID_TAG else None,
    )


def authorize(told: TokenShown) -> Authorize:
    return Authorize(told.token_uid)


def start_transaction(told: SessionStarted) -> StartTransaction:
    """Raises CannotSay if the moment or the register is missing: a station knows both."""
    if told.at is None or told.register_wh is None:
        raise CannotSay("a station knows its time and its register")
    return StartTransaction(
        connector_id=told.connector_number,
        id_tag=told.token_uid,
        meter_start=told.register_wh,
        timestamp=told.at,
        reservation_id=told.reservation_id,
    )


def stop_transaction(told: SessionEnded) -> StopTransaction:
    """A session that never got its id ends as −1 (errata 3.18)."""
    if told.at is None or told.register_wh is None:
        raise CannotSay("a station knows its time and its register")
    return StopTransaction(
        transaction_id=int(told.transaction_id) if told.transaction_id is not None else -1,
        meter_stop=told.register_wh,
        timestamp=told.at,
        id_tag=told.token_uid,
        reason=told.reason if told.reason != "Local" else None,  # type: ignore[arg-type]
        transaction_data=as_wire(told.readings),
    )


def verdict_of(answer: AuthorizeAnswer | StopTransactionAnswer) -> Verdict:
    info = answer.id_tag_info
    return Verdict(Allowed(info.status), group_id=info.parent_id_tag) if info else Verdict(None)


def begun_of(answer: StartTransactionAnswer) -> Begun:
    info = answer.id_tag_info
    return Begun(str(answer.transaction_id), Allowed(info.status), group_id=info.parent_id_tag)
