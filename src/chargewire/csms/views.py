"""What a subscription may see: the one place where lists and single objects are cut down to a scope.

Every way out that answers questions asks here and hands in its `Scope`; nothing else of the API reads shared objects from
the journal. What is not in scope is not there: it is not listed, not counted, and asking for it by id gives the same as an
unknown id.
"""

from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.errors import Unknown
from chargewire.charging.location import Evse, Location, Station
from chargewire.charging.token import TokenRef
from chargewire.csms.directory import Directory
from chargewire.csms.seen import Part, SeenEvse, SeenPlace, Window
from chargewire.csms.turns import Turns
from chargewire.journal.memory import Journal, ListQuery, LogQuery, Page, ReadingRow, Ref, Stored
from chargewire.sharing.scope import Scope

LARGE = 1_000  # totals above this are counted at most every few seconds
COUNTED_FOR_S = 5.0
UNCREDITED = ("",)  # states of CDRs that are no credit
WHOLESALE = ("wholesale",)  # states of tariffs that partners see; others are between us and drivers, or owners
CHUNK = 500  # rows of a log that are read at a time

_location = msgspec.json.Decoder(Location)
_evse = msgspec.json.Decoder(Evse)
_station = msgspec.json.Decoder(Station)


class _Driven(Struct):
    """Of a CDR only whose driver it was."""

    token: TokenRef


_of_whom = msgspec.json.Decoder(_Driven)


class Views:
    """Shared objects as subscriptions see them."""

    def __init__(self, journal: Journal, directory: Directory) -> None:
        self._journal = journal
        self._directory = directory
        self._counts: dict[bytes, tuple[float, int]] = {}

    def complete_until(self) -> int:
        """Everything that is stamped below this (µs) is in the lists."""
        return self._journal.complete_until()

    async def sessions(self, scope: Scope, window: Window, states: tuple[str, ...] = ()) -> Part:
        """Sessions as stored (`Stored`), oldest first; no states = every state."""
        return await self._walk(self._strands(scope, "session", "sessions", states), window, pages=False)

    async def session_pages(self, scope: Scope, window: Window, states: tuple[str, ...]) -> Part:
        """The same as rendered JSON (`bytes`), without charging periods."""
        return await self._walk(self._strands(scope, "session", "sessions", states), window, pages=True)

    async def count_sessions(self, scope: Scope, window: Window, states: tuple[str, ...] = ()) -> int:
        return await self._count(self._strands(scope, "session", "sessions", states), window)

    async def cdr_pages(self, scope: Scope, window: Window, emsp: str = "") -> Part:
        """CDRs as rendered JSON, oldest first. With `emsp`: those of the CPOs in scope whose driver belongs to it."""
        return await self._walk(self._cdr_strands(scope, emsp), window, pages=True)

    async def cdr_rows(self, scope: Scope, window: Window, emsp: str = "") -> Part:
        """The same as stored (`Stored`)."""
        return await self._walk(self._cdr_strands(scope, emsp), window, pages=False)

    async def count_cdrs(self, scope: Scope, window: Window, emsp: str = "") -> int:
        return await self._count(self._cdr_strands(scope, emsp), window)

    async def cdrs_of_customer(self, scope: Scope, window: Window, emsp: str, customer: str) -> Part:
        """CDRs as stored (`Stored`) whose driver belongs to a customer of an eMSP; found by reading all of that eMSP's."""
        (strand,) = self._cdr_strands(scope, emsp)
        query = replace(_within(strand, window), limit=CHUNK)
        after, passed = window.after or (None, 0)
        skip = 0 if window.after else window.offset
        rows: list[Any] = []
        while True:
            page = await self._journal.walk(replace(query, after=tuple(after) if after else None, offset=passed))
            for number, stored in enumerate(page.rows):
                if _of_whom.decode(stored.body).token.customer_id != customer:
                    continue
                if skip:
                    skip -= 1
                elif len(rows) == window.limit:
                    return Part(rows, [after, passed + number])
                else:
                    rows.append(stored)
            if page.next is None:
                return Part(rows, None)
            after, passed = page.next, 0

    async def cdrs(self, scope: Scope, window: Window) -> Part:
        """The CDRs (`Stored`) of a roaming partner's drivers, without credits, which OCPI has only from 2.2 on."""
        return await self._walk(self._strands(scope, "cdr", "cdrs", UNCREDITED), window, pages=False)

    async def count_uncredited(self, scope: Scope, window: Window) -> int:
        return await self._count(self._strands(scope, "cdr", "cdrs", UNCREDITED), window)

    async def tariffs(self, scope: Scope, window: Window) -> Part:
        """The tariffs (`Stored`) that partners are charged by."""
        return await self._walk([self._owned(scope, "tariff", "tariffs", WHOLESALE)], window, pages=False)

    async def count_tariffs(self, scope: Scope, window: Window) -> int:
        return await self._count([self._owned(scope, "tariff", "tariffs", WHOLESALE)], window)

    async def tokens(self, scope: Scope, window: Window) -> Part:
        """The tokens (`Stored`) of the eMSP that a roaming partner is connected with."""
        return await self._walk([self._owned(scope, "token", "tokens", ())], window, pages=False)

    async def count_tokens(self, scope: Scope, window: Window) -> int:
        return await self._count([self._owned(scope, "token", "tokens", ())], window)

    async def locations(self, scope: Scope, window: Window) -> Part:
        """Locations (`SeenPlace`) that have an EVSE, oldest first."""
        part = await self._walk([self._place_query(scope)], window, pages=False)
        return Part(await self._places(part.rows), part.next)

    async def count_locations(self, scope: Scope, window: Window) -> int:
        return await self._count([self._place_query(scope)], window)

    async def location(self, scope: Scope, location_id: str) -> SeenPlace:
        """One location. Raises Unknown."""
        refs = [Ref("location", owner, location_id) for owner in sorted(scope.owners("locations", "pull"))]
        found = await self._journal.get_many(refs) if refs else {}
        listed = [stored for stored in found.values() if not stored.deleted and stored.state != "empty"]
        places = [place for place in await self._places(listed) if place.location.publish or not scope.partner]
        if not places:
            raise Unknown("location", location_id)
        # where it has been before it went to another CPO there is a tombstone without stations
        places.sort(key=lambda place: (bool(place.location.station_ids), place.last_updated))
        return places[-1]

    async def readings(self, scope: Scope, query: LogQuery) -> AsyncIterator[tuple[Part, dict[str, str]]]:
        """Meter readings (`ReadingRow`) in parts, with the location of each station in them. Owners are set here."""
        query = replace(query, owners=tuple(sorted(scope.owners("metervalues", "pull"))))
        while query.owners:
            page = await self._journal.readings(query)
            yield Part(page.rows, page.next), await self._homes(page.rows)
            if page.next is None:
                return
            query = replace(query, after=tuple(page.next), offset=0)

    async def messages(self, scope: Scope, query: LogQuery) -> AsyncIterator[Part]:
        """Station messages (`MessageRow`) in parts. Owners are set here; a foreign station has none, like an unknown one."""
        owners = tuple(sorted(scope.owners("notifications", "pull")))
        station = query.station
        if station and (stored := await self._journal.find("station", station.lower())) is not None:
            station = stored.ref.key if stored.ref.owner in owners else station
        query = replace(query, owners=owners, station=station)
        while query.owners:
            page = await self._journal.messages(query)
            yield Part(page.rows, page.next)
            if page.next is None:
                return
            query = replace(query, after=tuple(page.next), offset=0)

    def _place_query(self, scope: Scope) -> ListQuery:
        states = ("listed",) if scope.partner else ("listed", "hidden")
        return ListQuery(kind="location", owners=tuple(sorted(scope.owners("locations", "pull"))), states=states)

    def _owned(self, scope: Scope, kind: str, module: str, states: tuple[str, ...]) -> ListQuery:
        return ListQuery(kind=kind, owners=tuple(sorted(scope.owners(module, "pull"))), states=states)

    def _cdr_strands(self, scope: Scope, emsp: str) -> list[ListQuery]:
        if not emsp:
            return self._strands(scope, "cdr", "cdrs", ())
        return [ListQuery(kind="cdr", owners=tuple(sorted(scope.owners("cdrs", "pull"))), counterparty=emsp)]

    def _strands(self, scope: Scope, kind: str, module: str, states: tuple[str, ...]) -> list[ListQuery]:
        """A list as queries that have nothing in common: what the CPOs in scope own, then what else concerns each eMSP."""
        owners = scope.owners(module, "pull")
        if scope.partner:
            return [ListQuery(kind=kind, owners=tuple(sorted(owners)), counterparty=scope.partner, states=states)]
        strands = [ListQuery(kind=kind, owners=tuple(sorted(owners)), states=states)] if owners else []
        issuers = scope.issuers(module, "pull")
        if issuers:
            others = tuple(sorted({cpo.party for cpo in self._directory.cpos()} - owners))
            strands += [
                ListQuery(kind=kind, owners=others, counterparty=emsp, states=states) for emsp in sorted(issuers) if others
            ]
        return strands

    async def _walk(self, strands: Sequence[ListQuery], window: Window, *, pages: bool) -> Part:
        rows: list[Any] = []
        strand, after = (int(window.after[0]), window.after[1]) if window.after else (0, None)
        skip = 0 if window.after else window.offset
        while strand < len(strands) and len(rows) < window.limit:
            query = replace(
                _within(strands[strand], window),
                after=tuple(after) if after else None,
                offset=skip,
                limit=window.limit - len(rows),
                known_total=window.known_total if len(strands) == 1 else None,
            )
            page: Page = await (self._journal.walk_pages(query) if pages else self._journal.walk(query))
            rows += page.rows
            if page.next is not None:
                return Part(rows, [strand, page.next])
            if skip and strand + 1 < len(strands):
                skip = 0 if page.rows else max(0, skip - await self._journal.count(replace(query, offset=0, after=None)))
            strand, after = strand + 1, None
        return Part(rows, [strand, None] if strand < len(strands) else None)

    async def _count(self, strands: Sequence[ListQuery], window: Window) -> int:
        total = 0
        for strand in strands:
            query = _within(strand, window)
            key = msgspec.msgpack.encode(query)
            counted_at, count = self._counts.get(key, (-COUNTED_FOR_S, 0))
            if monotonic() - counted_at >= COUNTED_FOR_S:
                count = await self._journal.count(query)
                if len(self._counts) > 1000:
                    self._counts.clear()
                if count > LARGE:
                    self._counts[key] = (monotonic(), count)
            total += count
        return total

    async def _places(self, stored: Sequence[Stored]) -> list[SeenPlace]:
        locations = [(each, _location.decode(each.body)) for each in stored]
        refs = [Ref("evse", each.ref.owner, uid) for each, location in locations for uid in location.evse_uids]
        found = await self._journal.get_many(refs) if refs else {}
        places, turns = [], Turns()
        for each, location in locations:
            await turns.give()
            evses = [found.get(Ref("evse", each.ref.owner, uid)) for uid in location.evse_uids]
            seen = tuple(SeenEvse(_evse.decode(evse.body), evse.last_updated) for evse in evses if evse and not evse.deleted)
            places.append(SeenPlace(each.ref.owner, location, seen, each.last_updated))
        return places

    async def _homes(self, rows: Sequence[ReadingRow]) -> dict[str, str]:
        """Station → location, of the stations in some readings."""
        refs = list({Ref("station", row.owner, row.station) for row in rows})
        found = await self._journal.get_many(refs) if refs else {}
        return {ref.key: _station.decode(stored.body).location_id for ref, stored in found.items()}


def _within(query: ListQuery, window: Window) -> ListQuery:
    return replace(query, updated_from=window.updated_from, updated_to=window.updated_to)
