"""A lane in the dialect of OCPI 2.1.1, through failures and deaths: what the partner has in the end, and never had."""

from typing import Any

import msgspec
from hypothesis import given

from chargewire.charging.location import Status
from chargewire.charging.session import Period
from chargewire.charging.tariff import Element, PriceComponent, Tariff
from chargewire.charging.token import Token
from chargewire.journal.memory import Ref, Stored
from chargewire.protocols.ocpi.v211.locations import Evse, StampedEvse, evse_json
from chargewire.push.ocpi import OcpiPlaceRules, OcpiSessionRules, TariffRules, TokenRules
from chargewire.push.rules import Send
from chargewire.push.verdict import Verdict
from push.depot import BEGIN, _evse, _location, a_session, replace
from push.test_lane import KEYS, LIVES, MANY, OWNERS, REFUSED, Life


class Places(Life):
    """Two locations of two EVSEs each that are published, withdrawn and published again."""

    module = OcpiPlaceRules

    def write(self, key: str, owner: str, kind: int) -> None:
        key = f"{KEYS[0]}{owner}"
        refs = [Ref("evse", owner, f"{key}-{number}") for number in (1, 2)]
        home = Ref("location", owner, key)
        before = self.shelf.objects.get(home)
        if kind < 3 or before is None:
            publish = kind != 1
            was = before is not None and self.published(before)
            for ref in refs if before is None else ():
                self.shelf.write(ref, _evse(key, ref.key), "static")
            place = replace(_location(key, (refs[0].key, refs[1].key), str(self.count)), publish=publish)
            self.shelf.write(home, place, "withdrawn" if was and not publish else "static")
        else:
            status = (Status.CHARGING, Status.FAULTED, Status.AVAILABLE)[self.count % 3]
            ref = refs[kind % 2]
            self.shelf.write(ref, replace(_evse(key, ref.key), status=status), "status")

    def is_told(self, ref: Ref, stored: Stored) -> bool:
        home = stored if ref.kind == "location" else self.shelf.objects.get(Ref("location", ref.owner, ref.key[:-2]))
        return super().is_told(ref, stored) and home is not None and self.published(home)

    def is_owed(self, ref: Ref, stored: Stored) -> bool:
        """An EVSE goes with its place, if that is still to be told."""
        home = self.shelf.objects.get(Ref("location", ref.owner, ref.key[:-2]))
        comes = ref.kind == "evse" and home is not None and (home.seq > self.cursor or home.ref in self.disk)
        return self.is_told(ref, stored) and not comes

    def receive(self, send: Send) -> None:
        super().receive(send)
        body = msgspec.json.decode(send.body)
        if send.ref.kind == "location":
            for evse in body["evses"]:
                self.known[f"{send.path}/{evse['uid']}"] = evse

    def sends(self, number: int) -> None:
        before = len(self.flying)
        super().sends(number)
        for send in self.flying[before:]:
            if send.ref.kind == "evse":
                home = self.shelf.objects[Ref("location", send.ref.owner, send.ref.key[:-2])]
                assert self.published(home)  # nothing is said of what goes on at a place that is not shown

    def patch(self, path: str, body: Any) -> None:
        self.known.setdefault(path, {}).update(body)

    def compare(self) -> None:
        for ref, stored in self.shelf.objects.items():
            if ref.kind != "evse" or ref.owner not in self.scope:
                continue
            known = self.known.get(f"/{ref.owner.replace('-', '/')}/{ref.key[:-2]}/{ref.key}")
            if self.is_told(ref, stored):
                assert known
                wanted = evse_json(*StampedEvse(msgspec.json.decode(stored.body, type=type(_evse("", ""))), 0))
                assert known["status"] == msgspec.json.decode(wanted, type=Evse).status
            else:
                assert known is None or known["status"] == "REMOVED"

    @staticmethod
    def published(home: Stored) -> bool:
        return bool(msgspec.json.decode(home.body).get("publish", True))


class Sessions(Life):
    module = OcpiSessionRules

    def write(self, key: str, owner: str, kind: int) -> None:
        what = ("start", "progress", "progress", "progress", "parking", "end")[kind]
        periods = tuple(Period(BEGIN, energy_wh=number, charging_s=60) for number in range(self.count % 3))
        content = a_session(key, owner, energy_wh=self.count, periods=periods)
        self.shelf.write(Ref("session", owner, key), content, what, content.status)

    def compare(self) -> None:
        for ref, stored in self.shelf.objects.items():
            if ref.owner in self.scope:
                known, wanted = self.known[f"/{ref.owner.replace('-', '/')}/{ref.key}"], msgspec.json.decode(stored.body)
                assert known["kwh"] == wanted["energy_wh"] / 1000
                assert len(known.get("charging_periods", ())) == len(wanted.get("periods", ()))


class Tariffs(Life):
    """Tariffs that are deleted and made again; retail ones are nobody's business."""

    module = TariffRules

    def write(self, key: str, owner: str, kind: int) -> None:
        ref = Ref("tariff", owner, key if kind < 5 else "RETAIL")
        component = PriceComponent("ENERGY", price=self.count, step_size=1)  # type: ignore[arg-type]
        tariff = Tariff(id=ref.key, currency="EUR", elements=(Element((component,)),))
        if kind == 5:
            tariff = replace(tariff, kind="retail")
        known = self.shelf.objects.get(ref)
        deleted = kind == 0 and known is not None and not known.deleted
        self.shelf.write(ref, tariff, "deleted" if deleted else "static", deleted=deleted)

    def is_told(self, ref: Ref, stored: Stored) -> bool:
        return super().is_told(ref, stored) and ref.key != "RETAIL"

    def compare(self) -> None:
        for ref, stored in self.shelf.objects.items():
            path = f"/{ref.owner.replace('-', '/')}/{ref.key}"
            if ref.owner in self.scope:
                assert (path in self.known) == (not stored.deleted and ref.key != "RETAIL")
                if path in self.known:
                    price = self.known[path]["elements"][0]["price_components"][0]["price"]
                    assert price == int(msgspec.json.decode(stored.body)["elements"][0]["price_components"][0]["price"])


class Tokens(Life):
    module = TokenRules

    def write(self, key: str, owner: str, kind: int) -> None:
        token = Token(
            uid=key, type="RFID", auth_id="C1", issuer="X", valid=kind != 5, whitelist="ALWAYS", visual_number=str(self.count)
        )
        self.shelf.write(Ref("token", owner, key), token, "static")

    def compare(self) -> None:
        for ref, stored in self.shelf.objects.items():
            if ref.owner in self.scope:
                known, wanted = self.known[f"/{ref.owner.replace('-', '/')}/{ref.key}"], msgspec.json.decode(stored.body)
                assert (known["valid"], known["visual_number"]) == (wanted["valid"], wanted["visual_number"])


@MANY
@given(LIVES)
def test_a_place_ends_as_it_is_and_one_that_is_withdrawn_as_removed_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Places().live(steps)


@MANY
@given(LIVES)
def test_a_session_ends_with_all_its_periods_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Sessions().live(steps)


@MANY
@given(LIVES)
def test_a_partner_has_the_tariffs_that_there_are_and_no_others_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Tariffs().live(steps)


@MANY
@given(LIVES)
def test_a_token_is_told_as_it_is_whatever_happens(steps: list[tuple[str, int]]) -> None:
    Tokens().live(steps)


def test_a_place_that_was_withdrawn_while_we_were_down_is_removed_once_and_what_happens_there_later_is_not_told() -> None:
    life = Places()
    life.write("", OWNERS[0], 0)
    _tell(life)
    life.saves(0)
    life.dies(0)  # and with it what it remembered of the partner
    life.write("", OWNERS[0], 1)
    _tell(life)
    life.saves(0)
    life.dies(0)
    sent = len(life.log)
    life.write("", OWNERS[0], 1)  # another name
    life.write("", OWNERS[0], 3)
    _tell(life)
    assert life.log[sent:] == []
    assert [method for method, _ in life.log] == ["PUT", "PUT"]


def test_a_patch_that_is_refused_is_followed_by_the_whole_at_once_and_that_by_a_pause() -> None:
    life = Sessions()
    life.write(KEYS[0], OWNERS[0], 0)
    _tell(life)
    life.count += 3
    life.write(KEYS[0], OWNERS[0], 1)
    _tell(life, REFUSED)
    assert [method for method, _ in life.log] == ["PUT", "PATCH", "PUT"]
    assert life.lane.waiting == 1
    _tell(life)
    assert [method for method, _ in life.log] == ["PUT", "PATCH", "PUT", "PUT"]


def test_a_tariff_that_becomes_a_retail_one_is_deleted_at_the_partner() -> None:
    life = Tariffs()
    life.write(KEYS[0], OWNERS[0], 1)
    _tell(life)
    ref = Ref("tariff", OWNERS[0], KEYS[0])
    life.shelf.write(ref, replace(msgspec.json.decode(life.shelf.objects[ref].body, type=Tariff), kind="retail"), "static")
    _tell(life)
    life.shelf.write(ref, replace(msgspec.json.decode(life.shelf.objects[ref].body, type=Tariff), currency="CHF"), "static")
    _tell(life)
    assert [method for method, _ in life.log] == ["PUT", "DELETE"]


def _tell(life: Any, verdict: Verdict | None = None) -> None:
    """Have the lane send what it has to, and answer it."""
    life.now += 100_000_000
    life.follows()
    life.log = getattr(life, "log", [])
    life.sends(3)
    while life.flying or life.lane.active:
        for send in life.flying:
            life.log.append((send.method, send.path))
        while life.flying:
            if verdict is None:
                life.answers(0)
            else:
                life.lane.settle(life.flying.pop(0), verdict, life.now)
        life.sends(3)
