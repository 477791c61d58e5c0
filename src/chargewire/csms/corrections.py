"""Taking a CDR back, and putting another in its place: one write each, and each once."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.correcting import correction_id_of, credit_for, flagged_anew, measured_anew
from chargewire.charging.errors import AlreadyDone, Refused, Unknown
from chargewire.charging.pricing import check_tariff, price
from chargewire.charging.tariff import Tariff
from chargewire.csms.directory import Directory
from chargewire.csms.intake import read
from chargewire.csms.registry import Registry
from chargewire.journal.memory import Journal, LostRace, Ref, Stored, Unit, Write
from chargewire.log import event

CREDIT = "credit"  # the state of a credit: roaming partners of 2.1.1 are not shown it
_cdr = msgspec.json.Decoder(Cdr)
_tariff = msgspec.json.Decoder(Tariff)
Reason = Annotated[str, Meta(min_length=1, max_length=255)]


class CreditInput(Struct, frozen=True, kw_only=True):
    """Why a CDR is taken back."""

    reason: Reason


class CorrectionInput(Struct, frozen=True, kw_only=True):
    """What was wrong. `tariff_id`: one of the CPO's, as it is now; what is left out stays as it was."""

    reason: Reason
    energy_wh: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None
    start: datetime | None = None
    stop: datetime | None = None
    tariff_id: str | None = None


async def find_cdr(journal: Journal, directory: Directory, cdr_id: str) -> Stored:
    """A CDR by its id, published, held back or dropped. Raises Unknown."""
    owners = sorted(cpo.party for cpo in directory.cpos())
    found = await journal.get_many([Ref(kind, owner, cdr_id) for kind in ("cdr", "heldcdr") for owner in owners])
    stored = next((each for each in found.values() if not each.deleted), None)
    if stored is None:
        raise Unknown("CDR", cdr_id)
    return stored


async def credit(registry: Registry, cdr_id: str, body: bytes) -> Cdr:
    """Take a CDR back. Raises Unknown, Refused, AlreadyDone."""
    given = read(body, CreditInput)
    stored, cdr = await _published(registry, cdr_id)
    taken_back = credit_for(cdr, given.reason)
    await _write(registry, stored, [_credit_write(stored, taken_back)], cdr_id)
    event("cdr.credited", cdr_id=cdr_id, credit_id=taken_back.id)
    return taken_back


async def correct(registry: Registry, cdr_id: str, body: bytes) -> tuple[Cdr, Cdr]:
    """Take a CDR back and put another in its place: the credit, and the new one. Raises Unknown, Refused, AlreadyDone."""
    given = read(body, CorrectionInput)
    if given == CorrectionInput(reason=given.reason):
        raise Refused("nothing is said that is to be corrected: energy_wh, start, stop or tariff_id", "reason")
    for name in ("start", "stop"):
        moment: Any = getattr(given, name)
        if moment is not None and moment.tzinfo is None:
            raise Refused("must say its offset from UTC, or Z", name)
    stored, cdr = await _published(registry, cdr_id)
    taken_back = credit_for(cdr, given.reason)
    tariff = await _tariff_of(registry, stored.ref.owner, given.tariff_id) if given.tariff_id else cdr.tariff
    if tariff is None:
        raise Refused("must be said: the CDR was kept without its tariff", "tariff_id")
    measured = measured_anew(cdr, energy_wh=given.energy_wh, start=given.start, stop=given.stop)
    corrected = replace(
        measured,
        id=correction_id_of(cdr.id),
        tariff=tariff,
        cost=_priced(measured, tariff),
        retail=_priced(measured, cdr.retail_tariff) if cdr.retail_tariff else None,
        reimbursement=_priced(measured, cdr.reimbursement_tariff) if cdr.reimbursement_tariff else None,
        replaces=cdr.id,
        reason=given.reason,
    )
    corrected = flagged_anew(replace(corrected, currency=corrected.cost.currency))
    made = Write(
        ref=Ref("cdr", stored.ref.owner, corrected.id),
        content=corrected,
        expect=0,
        what="new",
        counterparty=stored.counterparty,
    )
    await _write(registry, stored, [_credit_write(stored, taken_back), made], cdr_id)
    event("cdr.corrected", cdr_id=cdr_id, new_cdr_id=corrected.id)
    return taken_back, corrected


async def _published(registry: Registry, cdr_id: str) -> tuple[Stored, Cdr]:
    stored = await find_cdr(registry.journal, registry.directory, cdr_id)
    if stored.ref.kind != "cdr":
        raise Refused("was not published: there is nothing to take back", "id")
    return stored, _cdr.decode(stored.body)


def _credit_write(stored: Stored, taken_back: Cdr) -> Write:
    return Write(
        ref=Ref("cdr", stored.ref.owner, taken_back.id),
        content=taken_back,
        expect=0,
        what="new",
        state=CREDIT,
        counterparty=stored.counterparty,
    )


async def _write(registry: Registry, stored: Stored, writes: list[Write], cdr_id: str) -> None:
    place = _cdr.decode(stored.body).location.id
    try:
        await registry.journal.append(Unit(place=place, writes=writes))
    except LostRace as error:
        raise AlreadyDone(f"CDR {cdr_id} was taken back before") from error


def _priced(cdr: Cdr, tariff: Tariff) -> Cost:
    try:
        return price(tariff, cdr.periods, cdr.stop, cdr.location.time_zone)
    except ArithmeticError as error:
        raise Refused("is beyond any sum of money", "energy_wh") from error


async def _tariff_of(registry: Registry, owner: str, tariff_id: str) -> Tariff:
    stored = await registry.journal.get(Ref("tariff", owner, tariff_id))
    tariff = _tariff.decode(stored.body) if stored else None
    if tariff is None or tariff.kind != "wholesale":
        raise Refused(f"{owner} has no wholesale tariff {tariff_id!r}", "tariff_id")
    check_tariff(tariff)
    return tariff
