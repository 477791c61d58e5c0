"""How CDRs and station notifications are pushed: each once, as it is (Platform API, Push CDR; Webhooks)."""

import msgspec

from chargewire.charging.cdr import Cdr
from chargewire.charging.notification import StationNotification
from chargewire.journal.memory import Ref
from chargewire.protocols.platform import cdr_json, notification_json
from chargewire.protocols.platform.cdrs import extended_cdr_json
from chargewire.push.rules import Loaded, Lookup, Pacing, Plan, Send, Told

_cdr = msgspec.json.Decoder(Cdr)
_notification = msgspec.json.Decoder(StationNotification)


class _Records:
    """What is written once and told once, to the endpoint's own URL."""

    kinds: tuple[str, ...]
    walked: tuple[str, ...] = ()
    from_beginning = False
    tells_deleted = False

    def slot(self, ref: Ref) -> Ref | None:
        return ref

    def slot_of(self, loaded: Loaded) -> Ref:
        slot = self.slot(loaded.stored.ref)
        assert slot is not None
        return slot

    def flags(self, ref: Ref, what: str) -> int:
        return 0

    def more(self, loaded: Loaded) -> list[Ref]:
        return []

    def escalated(self, ref: Ref, slot: Ref, method: str) -> tuple[Ref, int] | None:
        return None

    def remembered(self, send: Send) -> bool:
        return False


class CdrRules(_Records):
    """Kind `cdr`: POST."""

    kinds: tuple[str, ...] = ("cdr",)
    name = "whole"
    as_json = staticmethod(cdr_json)

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        body = loaded.made(self.name, lambda: self.as_json(_cdr.decode(stored.body), stored.last_updated))
        return Send(stored.ref, "POST", "", body, Told(stored.version))


class ExtendedCdrRules(CdrRules):
    """As the extended profile is told it: with `credit` and `credit_reference_id`."""

    name = "extended"
    as_json = staticmethod(extended_cdr_json)


class NotificationRules(_Records):
    """Kind `notification`: PUT; those of one station in the order in which it sent them."""

    kinds: tuple[str, ...] = ("notification",)

    def slot(self, ref: Ref) -> Ref | None:
        return Ref("station", ref.owner, ref.key.rpartition("/")[0])

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        body = loaded.made("whole", lambda: notification_json(_notification.decode(stored.body), stored.created_at))
        return Send(stored.ref, "PUT", "", body, Told(stored.version))
