"""Who may charge: the answer to a token at a station of a CPO.

A token of an eMSP of our own is judged by us. One of a roaming partner is judged as its whitelist says (OCPI 2.1.1 mod_tokens,
WhitelistType): ALWAYS and ALLOWED by what the partner has told us; NEVER by asking it each time; ALLOWED_OFFLINE by asking, and
by what we were told if no answer comes. A start that a station kept while it was offline is past asking about.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

import msgspec

from chargewire.charging.flags import TOKEN_NOT_HERE, TOKEN_UNASKED
from chargewire.charging.location import Location
from chargewire.charging.token import Allowed, Token, TokenRef
from chargewire.charging.tokens import may_charge_at, verdict
from chargewire.csms.directory import Directory
from chargewire.csms.port import Authority
from chargewire.csms.registry import find_token
from chargewire.journal.memory import Journal

ASKED_FOR_S = 300.0  # a partner's yes holds for the start that follows it
PAST = timedelta(minutes=5)
MOST = 10_000
_token = msgspec.json.Decoder(Token)

TOKEN_REFUSED = "token-refused"  # noqa: S105  (a flag of the message)


class Shown(NamedTuple):
    """A token that is shown, and where. `at` is the station's time."""

    cpo: str
    station_id: str
    token_uid: str
    at: datetime
    location: Location | None = None
    evse_uid: str = ""


class Judged(NamedTuple):
    """`token` is what a session keeps of it; `by_request`: its eMSP said so just now, or asked for it by command."""

    allowed: Allowed
    token: TokenRef
    by_request: bool = False
    expires_at: datetime | None = None
    flags: tuple[str, ...] = ()


Invited = Callable[[str, str], TokenRef | None]
"""The token that a command of its eMSP has just started at a station (station id, uid); None if there was none."""


class Judge:
    """Judges tokens: one of an eMSP that no network of the CPO knows is as unknown as one that does not exist."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        clock: Callable[[], datetime],
        authority: Authority | None = None,
    ) -> None:
        self._journal = journal
        self._directory = directory
        self._clock = clock
        self._yes: dict[tuple[str, str], float] = {}  # (station, token) → until when a partner's yes holds
        self.authority = authority
        self.invited: Invited = lambda station_id, token_uid: None

    async def judge(self, shown: Shown) -> Judged:
        """The verdict. Takes as long as the partner does, at most; an unknown token is kept by the uid that was shown."""
        invited = self.invited(shown.station_id, shown.token_uid)
        if invited is not None:
            return Judged(Allowed.ACCEPTED, invited, by_request=True)
        stored = await find_token(self._journal, self._directory, shown.cpo, shown.token_uid)
        if stored is None:
            return Judged(Allowed.INVALID, TokenRef(uid=shown.token_uid, auth_id=shown.token_uid))
        token, emsp = _token.decode(stored.body), stored.ref.owner
        ref = ref_of(token, emsp)
        known = verdict(token, shown.at)
        if known is not Allowed.ACCEPTED:
            return Judged(known, ref, expires_at=token.expires_at)
        if shown.location is not None and not may_charge_at(token, shown.location):
            return Judged(Allowed.INVALID, ref, flags=(TOKEN_NOT_HERE,))
        if self._directory.emsp(emsp) is not None or token.whitelist in ("ALWAYS", "ALLOWED"):
            return Judged(known, ref, expires_at=token.expires_at)
        return await self._ask(shown, token, emsp, ref)

    async def _ask(self, shown: Shown, token: Token, emsp: str, ref: TokenRef) -> Judged:
        key = (shown.station_id, token.uid.casefold())
        if self._yes.get(key, 0.0) > monotonic():
            return Judged(Allowed.ACCEPTED, ref, by_request=True)
        past = self._clock() - shown.at > PAST
        said = None
        if self.authority is not None and not past:
            place = (shown.location.id, shown.evse_uid) if shown.location else None
            said = await self.authority.ask(shown.cpo, emsp, token, place)
        if said is None:
            offline = token.whitelist == "ALLOWED_OFFLINE" or past
            return Judged(Allowed.ACCEPTED if offline else Allowed.INVALID, ref, flags=(TOKEN_UNASKED,))
        if said is Allowed.ACCEPTED:
            if len(self._yes) >= MOST:
                self._yes.clear()
            self._yes[key] = monotonic() + ASKED_FOR_S
        return Judged(said, ref, by_request=True)


def ref_of(token: Token, emsp: str) -> TokenRef:
    """What a session keeps of a token."""
    return TokenRef(
        uid=token.uid,
        auth_id=token.auth_id,
        emsp=emsp,
        visual_number=token.visual_number,
        customer_id=token.customer_id,
        group_id=token.group_id,
        type=token.type,
    )
