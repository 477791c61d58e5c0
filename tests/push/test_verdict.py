"""What answers mean."""

from datetime import UTC, datetime

import pytest

from chargewire.outgoing.connection import Answer, Failure
from chargewire.push.gate import SECOND, Gate
from chargewire.push.verdict import judge

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", "ok"),
        (201, b"OK", "ok"),
        (204, b"", "ok"),
        (200, b'{"status_code":1000}', "ok"),
        (200, b'{"status_code":1999}', "ok"),
        (200, b'{"anything":"else"}', "ok"),
        (200, b'{"status_code":', "ok"),
        (200, b'[{"status_code":3000}]', "ok"),
        (200, b'{"status_code":2000}', "object"),
        (200, b'{"status_code":"2001"}', "object"),
        (200, b'{"status_code":2003}', "missing"),
        (200, b'{"status_code":3000}', "endpoint"),
        (301, b"", "endpoint"),
        (400, b"", "object"),
        (401, b"", "credentials"),
        (403, b"", "credentials"),
        (404, b"", "missing"),
        (405, b"", "object"),
        (408, b"", "endpoint"),
        (409, b"", "object"),
        (410, b"", "gone"),
        (413, b"", "object"),
        (422, b"", "object"),
        (429, b"", "throttle"),
        (500, b"", "endpoint"),
        (503, b"", "endpoint"),
    ],
)
def test_each_answer_has_one_meaning(status: int, body: bytes, kind: str) -> None:
    assert judge(Answer(status, body), NOW).kind == kind


@pytest.mark.parametrize("kind", ["timeout", "reset", "malformed", "too-large"])
def test_no_definite_answer_leaves_a_doubt(kind: str) -> None:
    assert judge(Failure(kind, ""), NOW).doubt


@pytest.mark.parametrize("kind", ["dns", "connect", "tls", "blocked"])
def test_what_was_never_sent_leaves_no_doubt(kind: str) -> None:
    assert not judge(Failure(kind, ""), NOW).doubt


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("0", 1.0),
        ("-5", 5.0),
        ("999999999", 3600.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2020 12:00:30 GMT", 5.0),
        ("soon", 5.0),
        ("", 5.0),
    ],
)
def test_a_receiver_may_ask_for_up_to_an_hour(header: str, wait_s: float) -> None:
    assert judge(Answer(429, b"", retry_after=header), NOW).wait_s == wait_s


def test_requests_that_fail_together_count_once() -> None:
    gate = Gate(8, jitter=lambda: 0.5)
    gate.in_flight = 8
    for number in range(8):
        gate.failed("500", "", 1000, 2000 + number)
    assert (gate.in_flight, gate.failures) == (0, 1)
    assert gate.closed_until == 2000 + SECOND


def test_a_failing_endpoint_is_tried_with_one_request_and_then_with_ever_more() -> None:
    gate = Gate(8, jitter=lambda: 0.5)
    gate.in_flight = 1
    gate.failed("500", "", 0, 1)
    assert gate.room(2) == 0
    later = gate.closed_until
    assert gate.room(later) == 1
    rooms = []
    for _ in range(4):
        gate.in_flight += 1
        gate.worked()
        rooms.append(gate.room(later))
    assert rooms == [2, 4, 8, 8]


def test_the_waits_of_a_failing_endpoint_grow_to_five_minutes() -> None:
    gate, now, waits = Gate(jitter=lambda: 0.5), 10, []
    for _ in range(11):
        gate.in_flight = 1
        gate.failed("500", "", now, now)
        waits.append((gate.closed_until - now) // SECOND)
        now = gate.closed_until
    assert waits == [1, 2, 4, 8, 16, 32, 60, 120, 300, 300, 300]


def test_many_objects_refused_alike_are_the_endpoints_fault() -> None:
    gate = Gate()
    gate.in_flight = 60
    said = [gate.refused("400", "", now) for now in range(1, 60)]
    assert said.index(True) == 50
    assert gate.failures
