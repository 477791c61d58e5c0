"""A lane with a receiver that may fail in every way, and a life that may end at any moment: what holds all the same."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chargewire.charging.location import Status
from chargewire.charging.notification import StationNotification
from chargewire.journal.memory import Deferred, Ref, Stored
from chargewire.protocols.platform.status import STATUS
from chargewire.push.entry import Walk
from chargewire.push.lane import Lane
from chargewire.push.ledger import Saving
from chargewire.push.places import PlaceRules
from chargewire.push.records import CdrRules, NotificationRules
from chargewire.push.rules import SECOND, Loaded, Pacing, Rules, Send
from chargewire.push.sessions import SessionRules
from chargewire.push.verdict import OK, Verdict
from push.depot import BEGIN, _evse, _location, a_cdr, a_session, replace

OWNERS = ("NL-AAA", "NL-BBB")
KEYS = ("K1", "K2")
ENDPOINT = Verdict("endpoint", "timeout", doubt=True)
REFUSED = Verdict("object", "422")
MISSING = Verdict("missing", "404")
ANSWERS = (OK, OK, OK, ENDPOINT, REFUSED, MISSING, ENDPOINT, OK)


class Shelf:
    """The journal: objects with their last change, and all changes."""

    def __init__(self) -> None:
        self.objects: dict[Ref, Stored] = {}
        self.changes: list[tuple[Ref, int, str]] = []  # ref, seq, what

    def write(self, ref: Ref, content: Any, what: str, state: str = "", deleted: bool = False) -> None:
        before, seq = self.objects.get(ref), len(self.changes) + 1
        self.changes.append((ref, seq, what))
        self.objects[ref] = Stored(
            ref=ref,
            part=0,
            seq=seq,
            version=before.version + 1 if before else 1,
            created_at=before.created_at if before else seq,
            last_updated=seq,
            state=state,
            counterparty="",
            deleted=deleted,
            body=msgspec.json.encode(content),
        )


class Life:
    """One lane. `disk` is what outlives it. Subclasses say which module, and what the receiver must have in the end."""

    module: Callable[[], Rules]

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.now = 1_000 * SECOND
        self.scope = set(OWNERS)
        self.cursor = 0
        self.disk: dict[Ref, Deferred] = {}
        self.flying: list[Send] = []
        self.seen: dict[Ref, int] = {}  # highest version that the receiver has taken
        self.known: dict[str, Any] = {}  # what it holds by path
        self.doubtful: set[Ref] = set()  # nobody knows what it has of them
        self.count = 0
        self.lane = self.fresh()

    def fresh(self) -> Lane:
        lane = Lane(
            "e", 0, self.module(), lambda owner, _: owner in self.scope, self.cursor, pacing=Pacing(60 * SECOND, 900 * SECOND),
            cap=50, jitter=lambda: 0.5,
        )  # fmt: skip
        lane.restore(list(self.disk.values()))
        return lane

    def live(self, steps: list[tuple[str, int]]) -> None:
        """Go through what may happen, look after each step, and let it end well."""
        for name, number in steps:
            getattr(self, name)(number)
            self.one_request_per_slot()
            self.nothing_behind_the_cursor_is_forgotten()
        self.ends_well()

    # what may happen

    def changes(self, number: int) -> None:
        self.count += 1
        self.write(KEYS[number % len(KEYS)], OWNERS[number // 8 % 4 == 0], number // 64 % 6)

    def follows(self, number: int = 0) -> None:
        for ref, seq, what in self.shelf.changes[self.lane.read :]:
            if ref.owner in self.scope and ref.kind in self.lane.rules.kinds:
                self.lane.note(ref, seq, seq, what, self.now)
            self.lane.advance(seq)

    def sends(self, number: int) -> None:
        for ref in self.lane.take(self.now, number % 4 + 1):
            send = self.lane.offer(ref, self.load(ref), self.now)
            if send is not None:
                assert send.ref.owner in self.scope  # I4
                assert send.method != "PATCH" or send.ref not in self.doubtful
                self.flying.append(send)

    def answers(self, number: int) -> None:
        """The receiver may have taken what it gives no answer to."""
        if self.flying:
            send = self.flying.pop(number % len(self.flying))
            verdict = ANSWERS[number // 8 % len(ANSWERS)]
            if verdict is OK or (verdict is ENDPOINT and number // 64 % 2):
                self.receive(send)
            if verdict.doubt:
                self.doubtful.add(send.ref)
            elif verdict is OK:
                self.doubtful -= {send.ref, *(ref for ref, _ in send.covers)}
            self.lane.settle(send, verdict, self.now)

    def waits(self, number: int) -> None:
        self.now += (1, 30, 61, 1000)[number % 4] * SECOND

    def saves(self, number: int) -> None:
        saving = self.lane.saving()
        if saving is None:
            return
        if number % 4 == 3:
            self.lane.unsaved(saving)
            return
        self.keep(saving)
        self.lane.saved(saving)

    def dies(self, number: int) -> None:
        """What was under way may have arrived."""
        for send in self.flying if number % 2 else ():
            self.receive(send)
        self.flying.clear()
        self.doubtful.clear()
        self.lane = self.fresh()

    def loses_an_owner(self, number: int) -> None:
        if number % 8 == 0:
            self.scope = {OWNERS[0]}

    # what must hold

    def one_request_per_slot(self) -> None:  # I2
        slots = [self.lane._entries[send.ref].slot for send in self.flying]
        assert len(slots) == len(set(slots))

    def nothing_behind_the_cursor_is_forgotten(self) -> None:  # I1
        """What the disk says is enough: each object behind the cursor was taken as it is, or has a row."""
        for ref, stored in self.shelf.objects.items():
            if self.is_owed(ref, stored) and stored.seq <= self.cursor:
                assert self.seen.get(ref, 0) >= stored.version or ref in self.disk, ref

    def ends_well(self) -> None:
        """I6: once everything works, the receiver ends with what the journal has."""
        for _ in range(400):
            self.follows()
            self.sends(4)
            while self.flying:
                send = self.flying.pop(0)
                self.receive(send)
                self.doubtful.discard(send.ref)
                self.lane.settle(send, OK, self.now)
            if not self.lane._entries and self.lane.read == len(self.shelf.changes):
                break
            self.now += 3600 * SECOND
            for row in [row for row in self.disk.values() if row.state == "parked"]:
                self.lane.mark(row.ref, 0, 0, 8, self.now)  # somebody asks for it again
        self.saves(0)
        for ref, stored in self.shelf.objects.items():
            if self.is_told(ref, stored):
                assert self.seen.get(ref, 0) >= stored.version, ref
        assert self.cursor == len(self.shelf.changes)
        assert not self.disk
        self.compare()

    # of a module

    def is_told(self, ref: Ref, stored: Stored) -> bool:
        """Whether the receiver must have an object as it is."""
        return ref.owner in self.scope and ref.kind in self.lane.rules.kinds

    def is_owed(self, ref: Ref, stored: Stored) -> bool:
        """Whether the receiver must have it, or a row stand for it, once the cursor has passed it."""
        return self.is_told(ref, stored)

    def write(self, key: str, owner: str, kind: int) -> None:
        raise NotImplementedError

    def compare(self) -> None:
        """What the receiver holds is what the journal holds."""

    def load(self, ref: Ref) -> Loaded:
        loaded = Loaded(self.shelf.objects[ref])
        loaded.more = {each: self.shelf.objects[each] for each in self.lane.rules.more(loaded)}
        return loaded

    def receive(self, send: Send) -> None:
        body = msgspec.json.decode(send.body) if send.body else None
        for ref, version in ((send.ref, send.told.version), *send.covers):
            assert version >= self.seen.get(ref, 0)  # I3
            self.seen[ref] = version
        if send.method == "PATCH":
            self.patch(send.path, body)
        elif send.method == "DELETE":
            self.known.pop(send.path, None)
        else:
            self.known[send.path or body["id"]] = body

    def patch(self, path: str, body: Any) -> None:
        self.known.get(path, {}).update(body)

    def keep(self, saving: Saving) -> None:
        self.cursor = saving.cursor
        for ref, row in saving.rows.items():
            if row is None:
                self.disk.pop(ref, None)
            else:
                self.disk[ref] = row


class Sessions(Life):
    module = SessionRules

    def write(self, key: str, owner: str, kind: int) -> None:
        what = ("start", "progress", "progress", "progress", "parking", "end")[kind]
        content = a_session(key, owner, energy_wh=self.count)
        self.shelf.write(Ref("session", owner, key), content, what, content.status)

    def compare(self) -> None:
        for ref, stored in self.shelf.objects.items():
            if ref.owner in self.scope:
                path = f"/{ref.owner.replace('-', '/')}/{ref.key}"
                assert self.known[path]["kwh"] == msgspec.json.decode(stored.body)["energy_wh"] / 1000


class Places(Life):
    module = PlaceRules

    def write(self, key: str, owner: str, kind: int) -> None:
        """A location with two EVSEs, or the status of one."""
        key = f"{KEYS[0]}{owner}"  # few, so that their changes meet
        refs = [Ref("evse", owner, f"{key}-{number}") for number in (1, 2)]
        if kind == 0 or refs[0] not in self.shelf.objects:
            for ref in refs:
                self.shelf.write(ref, self.evse(ref, key), "static")
            self.shelf.write(Ref("location", owner, key), _location(key, (refs[0].key, refs[1].key), str(self.count)), "static")
        else:
            ref = refs[kind % 2]
            what = "static" if kind > 3 else "status"
            content = self.evse(ref, key)
            if what == "status":  # and nothing else
                content = replace(content, floor_level=msgspec.json.decode(self.shelf.objects[ref].body)["floor_level"])
            self.shelf.write(ref, content, what)

    def evse(self, ref: Ref, key: str) -> Any:
        status = (Status.CHARGING, Status.FAULTED, Status.AVAILABLE)[self.count % 3]
        return replace(_evse(key, ref.key), status=status, floor_level=str(self.count % 5))

    def patch(self, path: str, body: Any) -> None:
        self.known.setdefault(path, {}).update(body)

    def receive(self, send: Send) -> None:
        super().receive(send)
        if send.ref.kind == "location":  # its EVSEs are replaced, whatever was known of them
            for evse in msgspec.json.decode(send.body)["evses"]:
                self.known[f"{send.path}/{evse['uid']}"] = evse

    def compare(self) -> None:
        for ref, stored in self.shelf.objects.items():
            if ref.kind == "evse" and ref.owner in self.scope:
                evse = msgspec.json.decode(stored.body)
                known = self.known[f"/{ref.owner.replace('-', '/')}/{evse['location_id']}/{ref.key}"]
                assert known["status"] == STATUS[Status(evse["status"])]
                assert known["floor_level"] == evse["floor_level"]


class Cdrs(Life):
    module = CdrRules

    def write(self, key: str, owner: str, kind: int) -> None:
        key = f"C{self.count}"
        self.shelf.write(Ref("cdr", owner, key), a_cdr(key), "new")


class Notifications(Life):
    module = NotificationRules

    def write(self, key: str, owner: str, kind: int) -> None:
        content = StationNotification(
            id=str(self.count), station_id=key, location_id="L", action="A", message_id="m", payload="{}", at=BEGIN
        )
        self.shelf.write(Ref("notification", owner, f"{key}/{self.count}"), content, "new")


ACTIONS = (
    *["changes"] * 6, *["follows"] * 5, *["sends"] * 6, *["answers"] * 6, *["waits"] * 2, *["saves"] * 4,
    "dies", "loses_an_owner",
)  # fmt: skip
LIVES = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2**12 - 1)), min_size=30, max_size=150)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(LIVES)
def test_a_session_is_told_in_order_and_none_is_lost_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Sessions().live(steps)


@MANY
@given(LIVES)
def test_a_location_and_its_evses_end_as_they_are_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Places().live(steps)


@MANY
@given(LIVES)
def test_a_cdr_is_told_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Cdrs().live(steps)


@MANY
@given(LIVES)
def test_a_notification_is_told_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Notifications().live(steps)


def test_what_a_refused_key_is_about_is_remembered_over_a_restart() -> None:
    life = Places()
    life.write("", OWNERS[0], 0)
    ref = Ref("evse", OWNERS[0], "K1NL-AAA-1")
    life.follows()
    while life.lane.active:  # until the location is told
        life.sends(0)
        life.answers(0)
    life.write("", OWNERS[0], 4)  # an EVSE gets another floor
    life.follows()
    life.sends(0)
    assert [(send.ref, send.method) for send in life.flying] == [(ref, "PUT")]
    life.answers(8 * ANSWERS.index(REFUSED))
    life.saves(0)
    assert life.disk[ref].code == "422"
    life.dies(0)
    life.now += 10 * SECOND
    life.sends(0)
    assert [(send.ref, send.method) for send in life.flying] == [(ref, "PUT")]
    life.ends_well()


def test_objects_that_are_walked_are_remembered_as_walked_only_when_they_are_told() -> None:
    life = Places()
    life.write("", OWNERS[0], 0)
    place = Ref("location", OWNERS[0], "K1NL-AAA")
    life.lane.advance(len(life.shelf.changes))
    walk = Walk(frozenset(OWNERS))
    life.lane.begin(walk)
    life.lane.walk_to(walk, place)
    life.lane.walked_through(walk)
    life.saves(0)
    assert not life.lane.walked
    life.sends(0)
    life.answers(0)
    life.saves(0)
    assert life.lane.walked == frozenset(OWNERS)
    assert life.fresh().walked == frozenset(OWNERS)


def test_an_end_that_comes_while_an_older_state_is_being_loaded_does_not_wait_for_the_next_patch() -> None:
    life = Sessions()
    ref = Ref("session", OWNERS[0], KEYS[0])
    life.write(KEYS[0], OWNERS[0], 0)
    life.follows()
    life.sends(0)
    life.answers(0)
    life.write(KEYS[0], OWNERS[0], 1)
    life.follows()
    assert life.lane.take(life.now, 1) == [ref]
    older = life.load(ref)
    life.write(KEYS[0], OWNERS[0], 5)
    life.follows()
    assert life.lane.offer(ref, older, life.now) is None
    assert life.lane.take(life.now, 1) == [ref]
