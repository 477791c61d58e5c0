"""Which tokens a virtual station knows: its local authorization list, and its cache of earlier answers (OCPP 1.6 §3.5)."""

from datetime import datetime

from chargewire.charging.commands import ListedToken, SendLocalList
from chargewire.charging.token import Allowed
from chargewire.simulator.configuration import Configuration


class KnownTokens:
    """Compared without case, as idTags are. The list goes before the cache (§3.5.3)."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._cache: dict[str, tuple[Allowed, str | None]] = {}
        self._list: dict[str, ListedToken] = {}
        self.version = 0

    def remember(self, token_uid: str, allowed: Allowed, group_id: str | None = None) -> None:
        """Put an answer of the CSMS into the cache."""
        self._cache[token_uid.casefold()] = (allowed, group_id)

    def forget(self) -> None:
        """Empty the cache; the list stays (§5.4)."""
        self._cache.clear()

    def allowed(self, token_uid: str, at: datetime) -> Allowed | None:
        """What is known of a token at a time; None if it is in neither."""
        listed = self._list.get(token_uid.casefold()) if self._enabled else None
        if listed is None or listed.allowed is None:
            return self._cache.get(token_uid.casefold(), (None, None))[0]
        if listed.expires_at is not None and listed.expires_at <= at:
            return Allowed.EXPIRED
        return listed.allowed

    def group_of(self, token_uid: str) -> str | None:
        """The group of a token (parentIdTag), if it is known."""
        listed = self._list.get(token_uid.casefold())
        return listed.group_id if listed else self._cache.get(token_uid.casefold(), (None, None))[1]

    def one_group(self, token_uid: str, other: str) -> bool:
        """Whether one of them may end what the other began (§3.4)."""
        group = self.group_of(token_uid)
        return group is not None and group == self.group_of(other)

    def told_version(self) -> int:
        """Answer a GetLocalListVersion (§5.10)."""
        return self.version if self._enabled else -1

    def take(self, sent: SendLocalList) -> str:
        """Answer a SendLocalList, with the list changed if it is Accepted (§5.15)."""
        if not self._enabled:
            return "NotSupported"
        if not sent.full and sent.version <= self.version:
            return "VersionMismatch"
        listed = {} if sent.full else dict(self._list)
        for token in sent.tokens:
            listed.pop(token.uid.casefold(), None)
            if token.allowed is not None:
                listed[token.uid.casefold()] = token
        number = self._configuration.number
        if len(sent.tokens) > number("SendLocalListMaxLength") or len(listed) > number("LocalAuthListMaxLength"):
            return "Failed"
        self._list, self.version = listed, sent.version
        return "Accepted"

    @property
    def _enabled(self) -> bool:
        return self._configuration.flag("LocalAuthListEnabled")
