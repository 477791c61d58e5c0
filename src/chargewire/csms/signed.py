"""Signed meter values of a session: kept beside its CDR, and the address at which whoever has the CDR can read them."""

import hmac
from collections.abc import Callable

import msgspec

from chargewire.charging.closing import cdr_id_of
from chargewire.charging.errors import Unknown
from chargewire.charging.signed import SignedValues, signed_values
from chargewire.csms.draft import Draft
from chargewire.csms.ids import session_ref
from chargewire.csms.running import Running
from chargewire.journal.memory import Journal, Ref, Write
from chargewire.sharing.keys import Keys

SignedUrl = Callable[[str], str | None]
"""Where the signed values of a session are; None if nobody can reach us."""

DIGITS = 32  # hexadecimal: 128 bits, which nobody guesses
_values = msgspec.json.Decoder(SignedValues)


class SignedLinks:
    """Addresses that open the signed values of one session, and nothing else. They can be made again at any time: what makes
    them unguessable is the instance key."""

    def __init__(self, keys: Keys, public_url: str | None = None) -> None:
        """Until `public_url` is known there are no addresses."""
        self._keys = keys
        self.public_url = public_url

    def url(self, session_id: str) -> str | None:
        """The address of a session's signed values."""
        return f"{self.public_url.rstrip('/')}/signed/{capability(self._keys, session_id)}" if self.public_url else None


def capability(keys: Keys, session_id: str) -> str:
    """The last segment of such an address: the session, and the proof that we gave it out."""
    return f"{session_id}.{_proof(keys, session_id)}"


async def read_signed(journal: Journal, keys: Keys, capability: str) -> SignedValues:
    """What an address opens. Raises Unknown, in the same words whatever is wrong with it."""
    session_id, _, proof = capability.rpartition(".")
    if not capability.isascii() or not hmac.compare_digest(proof, _proof(keys, session_id)):
        raise Unknown("signed values", "here")
    stored = await journal.get(_ref(session_ref(session_id)))
    if stored is None:
        raise Unknown("signed values", "here")
    return _values.decode(stored.body)


def nowhere(_: str) -> None:
    """The address of signed values that nobody can reach."""


def keep_signed(draft: Draft, running: Running, signed_url: SignedUrl) -> str | None:
    """Write what the meter signed of a session that ends, and where it can be read from then on; None if it signed nothing."""
    values = signed_values(running.signed)
    if not values:
        return None
    session, started = running.ref, running.started
    content = SignedValues(
        session_id=session.key,
        cdr_id=cdr_id_of(session.key),
        station_id=started.station_id,
        evse_id=started.evse.evse_id or started.evse.uid,
        meter_id=started.meter_id,
        url=signed_url(session.key),
        values=values,
    )
    draft.write(Write(ref=_ref(session), content=content, expect=0, what="new"), place=running.place)
    return content.url


async def signed_at(journal: Journal, session: Ref) -> str | None:
    """Where the signed values of a session that is over can be read, if there are any."""
    stored = await journal.get(_ref(session))
    return _values.decode(stored.body).url if stored else None


def _ref(session: Ref) -> Ref:
    return Ref("signed", session.owner, session.key)


def _proof(keys: Keys, session_id: str) -> str:
    return keys.hash(f"signed values of {session_id}")[:DIGITS]
