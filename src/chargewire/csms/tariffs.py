"""Which tariff holds for a connector, and what a finished session costs by it."""

from datetime import datetime

import msgspec

from chargewire.charging.cdr import Cdr
from chargewire.charging.closing import cdr_of, is_small
from chargewire.charging.errors import Refused
from chargewire.charging.location import Connector
from chargewire.charging.pricing import check_tariff, price
from chargewire.charging.session import Session
from chargewire.charging.tariff import Tariff
from chargewire.journal.memory import Journal, Ref, Write
from chargewire.log import trouble
from chargewire.sharing.subscription import Cpo

_tariff = msgspec.json.Decoder(Tariff)


async def tariff_for(journal: Journal, owner: str, connector: Connector, at: datetime) -> Tariff | None:
    """The wholesale tariff of a connector, if the CPO has one that is valid at that moment."""
    if not connector.tariff_id:
        return None
    stored = await journal.get(Ref("tariff", owner, connector.tariff_id))
    tariff = _tariff.decode(stored.body) if stored else None
    if tariff is None or tariff.kind != "wholesale" or (tariff.valid_from is not None and tariff.valid_from > at):
        return None
    try:
        check_tariff(tariff)
    except Refused as error:  # written by an older version that checked less
        trouble("tariff.unusable", owner=owner, tariff_id=tariff.id, why=error)
        return None
    return tariff


def priced(session: Session, tariff: Tariff) -> Cdr | None:
    """The CDR of a finished session; None if what its meter said is beyond any sum of money."""
    stopped = session.stopped
    assert stopped is not None, session.id
    try:
        cost = price(tariff, session.periods, stopped.at, session.started.location.time_zone)
    except ArithmeticError as error:
        trouble("session.unpriceable", session_id=session.id, energy_wh=session.energy_wh, why=error)
        return None
    return cdr_of(session, cost)


def cdr_write(owner: str, cdr: Cdr, cpo: Cpo | None) -> Write:
    """The one write of a CDR. A small one is kept back under another kind if its CPO does not publish all."""
    held = cpo is not None and not cpo.publish_all_cdrs and is_small(cdr)
    ref = Ref("heldcdr" if held else "cdr", owner, cdr.id)
    return Write(ref=ref, content=cdr, expect=0, what="new", counterparty=cdr.token.emsp or "")
