"""OCPP-J framing (OCPP-J 1.6 §4), two ends joined in memory."""

import pytest
from msgspec import Raw

from chargewire.protocols.ocpp.rpc import (
    Answered,
    BadFrame,
    Call,
    Conversation,
    Failure,
    Result,
    Stray,
    answered,
    refused,
)

EMPTY = Raw(b"{}")


def carry(sender: Conversation, receiver: Conversation) -> list[Call]:
    """What arrives at the other end of all that is due."""
    arrived = []
    while message := sender.due():
        call = receiver.receive(message)
        assert isinstance(call, Call)
        arrived.append(call)
    return arrived


def test_a_call_arrives_as_it_was_sent() -> None:
    csms, station = Conversation(), Conversation()
    csms.call(Call("1", "Reset", Raw(b'{"type":"Soft"}')))
    (arrived,) = carry(csms, station)
    assert (arrived.id, arrived.action, bytes(arrived.payload)) == ("1", "Reset", b'{"type":"Soft"}')


def test_a_second_call_waits_for_the_answer_to_the_first() -> None:
    csms, station = Conversation(), Conversation()
    csms.call(Call("1", "Reset", EMPTY))
    csms.call(Call("2", "ClearCache", EMPTY))
    (first,) = carry(csms, station)
    assert first.id == "1"
    assert isinstance(csms.receive(answered(first, b"{}")), Answered)
    assert [call.id for call in carry(csms, station)] == ["2"]


def test_an_answer_names_the_call_that_it_answers() -> None:
    csms, station = Conversation(), Conversation()
    csms.call(Call("1", "ClearCache", EMPTY))
    (asked,) = carry(csms, station)
    said = csms.receive(answered(asked, b'{"status":"Accepted"}'))
    assert isinstance(said, Answered)
    assert said.call.action == "ClearCache"
    assert isinstance(said.answer, Result)
    assert bytes(said.answer.payload) == b'{"status":"Accepted"}'


def test_a_refusal_settles_the_call_as_well() -> None:
    csms, station = Conversation(), Conversation()
    csms.call(Call("1", "ClearCache", EMPTY))
    (asked,) = carry(csms, station)
    said = csms.receive(refused(asked, "NotSupported", "no cache"))
    assert isinstance(said, Answered)
    assert isinstance(said.answer, Failure)
    assert (said.answer.code, said.answer.description) == ("NotSupported", "no cache")
    assert csms.open is None


def test_a_late_answer_is_not_taken_for_the_answer_to_the_next_call() -> None:
    csms, station = Conversation(), Conversation()
    slow, next_one = Call("1", "Reset", EMPTY), Call("2", "ClearCache", EMPTY)
    csms.call(slow)
    csms.call(next_one)
    carry(csms, station)
    assert csms.give_up(slow)
    carry(csms, station)
    assert isinstance(csms.receive(answered(slow, b"{}")), Stray)
    assert csms.open is next_one


def test_an_answer_that_nobody_asked_for_is_a_stray() -> None:
    assert isinstance(Conversation().receive(b'[3,"17",{}]'), Stray)


def test_a_call_can_be_given_up_before_it_was_sent() -> None:
    csms, station = Conversation(), Conversation()
    first, second = Call("1", "Reset", EMPTY), Call("2", "ClearCache", EMPTY)
    csms.call(first)
    csms.call(second)
    carry(csms, station)
    assert csms.give_up(second)
    assert not csms.give_up(second)
    csms.receive(answered(first, b"{}"))
    assert csms.due() is None


def test_calls_may_cross_each_other() -> None:
    csms, station = Conversation(), Conversation()
    csms.call(Call("1", "Reset", EMPTY))
    station.call(Call("1", "Heartbeat", EMPTY))
    (to_station,), (to_csms,) = carry(csms, station), carry(station, csms)
    assert (to_station.action, to_csms.action) == ("Reset", "Heartbeat")
    assert isinstance(station.receive(answered(to_csms, b"{}")), Answered)
    assert isinstance(csms.receive(answered(to_station, b"{}")), Answered)


def test_calls_of_the_other_end_are_taken_however_many_are_open() -> None:
    csms = Conversation()
    for number in range(3):
        assert isinstance(csms.receive(b'[2,"%d","Heartbeat",{}]' % number), Call)


@pytest.mark.parametrize(("sent", "echoed"), [(b"17", b"17"), (b'"17"', b'"17"'), (b"1.5", b"1.5"), (b'"\\"x"', b'"\\"x"')])
def test_a_message_id_is_echoed_as_the_type_it_came_as(sent: bytes, echoed: bytes) -> None:
    call = Conversation().receive(b'[2,%b,"Heartbeat",{}]' % sent)
    assert isinstance(call, Call)
    assert answered(call, b"{}") == b"[3,%b,{}]" % echoed
    assert refused(call, "NotImplemented") == b'[4,%b,"NotImplemented","",{}]' % echoed


def test_an_id_of_ours_is_recognised_although_it_comes_back_as_a_number() -> None:
    csms = Conversation()
    csms.call(Call("17", "ClearCache", EMPTY))
    csms.due()
    assert isinstance(csms.receive(b'[3,17,{"status":"Accepted"}]'), Answered)


@pytest.mark.parametrize("frame", [b'[2,"1","Heartbeat"]', b'["2","1","Heartbeat",{}]', b'[2,"1","Heartbeat",null]'])
def test_a_call_without_payload_is_a_call(frame: bytes) -> None:
    call = Conversation().receive(frame)
    assert isinstance(call, Call)
    assert call.action == "Heartbeat"


@pytest.mark.parametrize("frame", [b'[4,"1","GenericError"]', b'[4,"1",null,null,null]', b'[4,"1","GenericError",12,"x"]'])
def test_a_refusal_that_leaves_half_of_it_out_is_a_refusal(frame: bytes) -> None:
    csms = Conversation()
    csms.call(Call("1", "Reset", EMPTY))
    csms.due()
    said = csms.receive(frame)
    assert isinstance(said, Answered)
    assert isinstance(said.answer, Failure)


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b'"tab\there"', b'"\\ud800"'])
def test_json_that_is_nearly_json_still_says_what_it_says(value: bytes) -> None:
    call = Conversation().receive(b'[2,"1","MeterValues",{"connectorId":1,"odd":%b}]' % value)
    assert isinstance(call, Call)
    assert b'"connectorId":1' in bytes(call.payload).replace(b" ", b"")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b"[2]",
        b'[2,null,"Heartbeat",{}]',
        b'[2,true,"Heartbeat",{}]',
        b'[2,"1",5,{}]',
        b'[5,"1","GenericError","",{}]',
        b'[6,"1","NotifyPeriodicEventStream",{}]',
        b"[" * 100_000,
        b'[2,"1","Heartbeat",{}',
    ],
)
def test_what_means_nothing_is_a_bad_frame_and_nothing_else(frame: bytes) -> None:
    with pytest.raises(BadFrame):
        Conversation().receive(frame)


def test_a_lost_link_gives_back_all_that_was_not_answered() -> None:
    csms = Conversation()
    calls = [Call(str(number), "Reset", EMPTY) for number in range(3)]
    for call in calls:
        csms.call(call)
    csms.due()
    assert csms.abandon() == calls
    assert csms.due() is None
