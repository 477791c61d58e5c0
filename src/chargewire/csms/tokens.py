"""Who may charge: the answer to a token at a station of a CPO."""

from datetime import datetime

import msgspec

from chargewire.charging.token import Allowed, Token, TokenRef
from chargewire.charging.tokens import verdict
from chargewire.csms.directory import Directory
from chargewire.csms.registry import find_token
from chargewire.journal.memory import Journal

_token = msgspec.json.Decoder(Token)


class Judge:
    """Judges tokens: one of an eMSP that no network of the CPO knows is as unknown as one that does not exist."""

    def __init__(self, journal: Journal, directory: Directory) -> None:
        self._journal = journal
        self._directory = directory

    async def judge(self, cpo: str, token_uid: str, at: datetime) -> tuple[Allowed, TokenRef]:
        """The verdict, and the token as a session keeps it (an unknown one by the uid that was shown)."""
        stored = await find_token(self._journal, self._directory, cpo, token_uid)
        if stored is None:
            return Allowed.INVALID, TokenRef(uid=token_uid, auth_id=token_uid)
        token = _token.decode(stored.body)
        ref = TokenRef(
            uid=token.uid,
            auth_id=token.auth_id,
            emsp=stored.ref.owner,
            visual_number=token.visual_number,
            customer_id=token.customer_id,
        )
        return verdict(token, at), ref
