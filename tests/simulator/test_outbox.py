"""The queue of transaction messages."""

from datetime import UTC, datetime
from pathlib import Path

from chargewire.charging.facts import Metered, SessionEnded, SessionStarted
from chargewire.simulator.outbox import Outbox

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
START = SessionStarted(connector_number=1, token_uid="T", register_wh=10, at=AT)
METER = Metered(connector_number=1, readings=())
STOP = SessionEnded(transaction_id=None, register_wh=20, at=AT)


def filled(path: Path | None = None) -> Outbox:
    outbox = Outbox(path)
    for message in (START, METER, STOP):
        outbox.put(message, "mine")
    return outbox


async def test_messages_that_waited_carry_the_id_that_came_later() -> None:
    outbox = filled()
    assert (await outbox.first()).message == START
    outbox.settle()
    outbox.learn("mine", "4711")
    message = (await outbox.first()).message
    assert isinstance(message, Metered)
    assert message.transaction_id == "4711"


async def test_without_an_answer_to_the_start_no_id_is_invented() -> None:
    outbox = filled()
    outbox.settle()
    message = (await outbox.first()).message
    assert isinstance(message, Metered)
    assert message.transaction_id is None


async def test_what_is_not_settled_is_there_again_after_a_crash(tmp_path: Path) -> None:
    before = filled(tmp_path / "box")
    before.settle()
    before.learn("mine", "4711")
    after = Outbox(tmp_path / "box")
    assert len(after) == 2
    message = (await after.first()).message
    assert isinstance(message, Metered)
    assert message.transaction_id == "4711"


async def test_a_line_that_was_cut_by_the_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "box"
    filled(path).close()
    path.write_bytes(path.read_bytes() + b'{"type":"put","mess')
    assert len(Outbox(path)) == 3


async def test_an_id_is_forgotten_with_the_stop(tmp_path: Path) -> None:
    outbox = filled(tmp_path / "box")
    outbox.learn("mine", "4711")
    for _ in range(3):
        outbox.settle()
    assert outbox.id_of("mine") is None
    await outbox.emptied()
    outbox.close()
    assert len(Outbox(tmp_path / "box")) == 0
    assert (tmp_path / "box").read_bytes() == b""
