"""Short ways to say what is written."""

import msgspec

from chargewire.journal.memory import NewMessage, NewReading, Ref, Unit, Write


def put(ref: Ref, content: object, expect: int = 0, *, place: str = "L1", what: str = "", **more: object) -> Unit:
    """A unit that writes one object."""
    write = Write(ref=ref, content=msgspec.json.encode(content), expect=expect, what=what, **more)  # type: ignore[arg-type]
    return Unit(place=place, writes=[write])


def reading(owner: str = "NL-AAA", *, station: str = "CS-1", session: str = "", message_id: str = "m") -> NewReading:
    return NewReading(
        owner=owner,
        station=station,
        evse="1",
        connector=1,
        session=session,
        at=1_700_000_000_000_000,
        samples=b'[["2026-11-24T06:12:00Z",[["1"]]]]',
        message_id=message_id,
    )


def message(
    owner: str = "NL-AAA", *, station: str = "CS-1", action: str = "Heartbeat", message_id: str = "m", call: bytes = b"{}"
) -> NewMessage:
    return NewMessage(
        owner=owner,
        station=station,
        location="L1",
        evse="",
        direction="in",
        action=action,
        message_id=message_id,
        call=call,
        answer=b"{}",
    )
