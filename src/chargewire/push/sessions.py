"""How sessions are pushed: PUT at first, then patches (Platform API, Push session).

Between two patches of a running session lies `min_patch`, between two full ones `full_patch`; parking and the end go out at
once. After any doubt the session is sent whole.
"""

import msgspec

from chargewire.charging.session import Session, SessionStatus
from chargewire.journal.memory import Ref
from chargewire.protocols.platform import session_json, session_patch
from chargewire.push.rules import DOUBT, FORCE, URGENT, Later, Loaded, Lookup, Pacing, Plan, Send, Told, object_path

_session = msgspec.json.Decoder(Session)
RUNNING = (SessionStatus.PENDING, SessionStatus.ACTIVE)


class SessionRules:
    """Kind `session`; a session's requests go in order."""

    kinds: tuple[str, ...] = ("session",)
    walked: tuple[str, ...] = ()
    from_beginning = False
    tells_deleted = False

    def slot(self, ref: Ref) -> Ref | None:
        return ref

    def slot_of(self, loaded: Loaded) -> Ref:
        return loaded.stored.ref

    def flags(self, ref: Ref, what: str) -> int:
        return 0 if what == "progress" else URGENT

    def more(self, loaded: Loaded) -> list[Ref]:
        return []

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        ref, told = stored.ref, lookup.told(stored.ref)
        session = loaded.made("session", lambda: _session.decode(stored.body))
        parked = session.parked_since is not None
        if told is None or flags & DOUBT:
            body = loaded.made("whole", lambda: session_json(session, stored.last_updated))
            return Send(ref, "PUT", object_path(ref), body, Told(stored.version, now, now, parked))
        if told.version >= stored.version and not flags & FORCE:
            return None
        if session.status not in RUNNING:
            kind = "end"
        elif parked != told.parked:
            kind = "parking"
        elif now < told.sent_at + pacing.min_patch:
            return Later(told.sent_at + pacing.min_patch)
        else:
            kind = "full" if now >= told.full_at + pacing.full_patch else "compact"
        body = loaded.made(kind, lambda: session_patch(session, kind, stored.last_updated))  # type: ignore[arg-type]
        full_at = told.full_at if kind == "compact" else now
        return Send(ref, "PATCH", object_path(ref), body, Told(stored.version, now, full_at, parked))

    def escalated(self, ref: Ref, slot: Ref, method: str) -> tuple[Ref, int] | None:
        return (ref, DOUBT) if method == "PATCH" else None

    def remembered(self, send: Send) -> bool:
        return True
