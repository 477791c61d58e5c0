"""Which tariffs hold for a session, and what it costs by them once it is over."""

from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.checks import checked
from chargewire.charging.closing import cdr_of, is_small
from chargewire.charging.errors import Refused
from chargewire.charging.flags import NO_REIMBURSEMENT, NO_RETAIL
from chargewire.charging.location import Connector
from chargewire.charging.pricing import check_tariff, price
from chargewire.charging.session import Session
from chargewire.charging.tariff import Tariff
from chargewire.charging.token import Token, TokenRef
from chargewire.csms.directory import Directory
from chargewire.csms.tariff_versions import version_at
from chargewire.journal.memory import Journal, Ref, Write
from chargewire.log import trouble
from chargewire.sharing.subscription import Cpo

_token = msgspec.json.Decoder(Token)


class Chosen(NamedTuple):
    """The tariffs of a session as valid at its start: what partners pay, what the driver pays, what the owner gets."""

    wholesale: Tariff | None
    retail: Tariff | None
    reimbursement: Tariff | None
    flags: tuple[str, ...]  # for those that are named and not there


async def tariffs_for(
    journal: Journal, directory: Directory, owner: str, connector: Connector, token: TokenRef, at: datetime
) -> Chosen:
    """What a session is priced by that a token begins at a connector of a CPO."""
    retail_id = await _retail_tariff_id(journal, directory, token)
    retail = await _usable(journal, token.emsp or "", retail_id, "retail", at)
    retail = retail or await _usable(journal, owner, retail_id, "retail", at)
    reimbursement = await _usable(journal, owner, connector.reimbursement_tariff_id, "reimbursement", at)
    flags = [NO_RETAIL] if retail_id and retail is None else []
    flags += [NO_REIMBURSEMENT] if connector.reimbursement_tariff_id and reimbursement is None else []
    wholesale = await _usable(journal, owner, connector.tariff_id, "wholesale", at)
    return Chosen(wholesale, retail, reimbursement, tuple(flags))


def priced(session: Session, tariff: Tariff) -> Cdr | None:
    """The CDR of a finished session; None if what its meter said is beyond any sum of money.

    The prices that are not wholesale never hold it back: one that cannot be said is left out and flagged.
    """
    started = session.started
    cost = _cost(session, tariff)
    if cost is None:
        return None
    retail, reimbursement = _cost(session, started.retail_tariff), _cost(session, started.reimbursement_tariff)
    flags = {*session.flags}
    flags |= {NO_RETAIL} if started.retail_tariff and retail is None else set()
    flags |= {NO_REIMBURSEMENT} if started.reimbursement_tariff and reimbursement is None else set()
    cdr = replace(
        cdr_of(session, cost),
        retail=retail,
        retail_tariff=started.retail_tariff,
        reimbursement=reimbursement,
        reimbursement_tariff=started.reimbursement_tariff,
        flags=tuple(sorted(flags)),
    )
    return replace(cdr, flags=checked(cdr))


def cdr_write(owner: str, cdr: Cdr, cpo: Cpo | None) -> Write:
    """The one write of a CDR.

    A small one is kept back under another kind if its CPO does not publish all; and so is one with a flag that the CPO wants
    CDRs dropped for, which nobody is shown but the operator.
    """
    held = cpo is not None and not cpo.publish_all_cdrs and is_small(cdr)
    dropped = cpo is not None and not set(cpo.drop_flagged).isdisjoint(cdr.flags)
    ref = Ref("heldcdr" if held or dropped else "cdr", owner, cdr.id)
    state = "dropped" if dropped else ""
    return Write(ref=ref, content=cdr, expect=0, what="new", state=state, counterparty=cdr.token.emsp or "")


def usable(tariff: Tariff | None, kind: str, owner: str) -> Tariff | None:
    """A party's tariff if it is of that kind and can be priced by."""
    if tariff is None or tariff.kind != kind:
        return None
    try:
        check_tariff(tariff)
    except Refused as error:  # written by an older version that checked less
        trouble("tariff.unusable", owner=owner, tariff_id=tariff.id, why=error)
        return None
    return tariff


async def _usable(journal: Journal, owner: str, tariff_id: str | None, kind: str, at: datetime) -> Tariff | None:
    """A party's tariff of a kind, if it is valid at that moment and can be priced by."""
    return usable(await version_at(journal, owner, tariff_id, at) if owner and tariff_id else None, kind, owner)


async def _retail_tariff_id(journal: Journal, directory: Directory, token: TokenRef) -> str | None:
    """What a driver's token says, else the eMSP's own."""
    emsp = directory.emsp(token.emsp) if token.emsp else None
    if emsp is None:
        return None
    stored = await journal.get(Ref("token", emsp.party, token.uid))
    said = _token.decode(stored.body).retail_tariff_id if stored else None
    return said or emsp.retail_tariff_id


def _cost(session: Session, tariff: Tariff | None) -> Cost | None:
    stopped = session.stopped
    assert stopped is not None, session.id
    if tariff is None:
        return None
    try:
        return price(tariff, session.periods, stopped.at, session.started.location.time_zone)
    except ArithmeticError as error:
        trouble("session.unpriceable", session_id=session.id, tariff_id=tariff.id, energy_wh=session.energy_wh, why=error)
        return None
