"""Commands between roaming partners: those that partners ask of our stations, and those that we ask of theirs.

As CPO the direct answer says only whether the command is passed on; what the station said is posted to the partner's
`response_url`, over a restart of ours too. As eMSP we wait for that post (OCPI 2.1.1 mod_commands).
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.commands import Order
from chargewire.charging.errors import MemoryUnavailable, Refused, StationOffline, Unknown
from chargewire.charging.token import Token as OurToken
from chargewire.csms.connecting import PARTNER_TOKEN
from chargewire.csms.ids import new_id
from chargewire.csms.orders import Orders
from chargewire.csms.partner_commands import NOT_SUPPORTED, REJECTED, UNKNOWN_SESSION, result_of, to_start, to_stop, to_unlock
from chargewire.csms.port import PartnersOrder
from chargewire.csms.registry import Registry, again
from chargewire.csms.tokens import ref_of
from chargewire.journal.memory import Ref, Unit, Write
from chargewire.journal.stamps import to_stamp
from chargewire.log import event, trouble
from chargewire.protocols.ocpi.v211 import commands, reading
from chargewire.protocols.ocpi.v211.tokens import Token, token
from chargewire.roaming.calls import Declined, PartnerCalls, PartnerError
from chargewire.roaming.receiving import keep_token
from chargewire.sharing.keys import Keys
from chargewire.sharing.subscription import Roaming, Subscription

STATION_S = 30.0
RESULT_S = 180.0  # until a command that a partner took has failed, if nothing is heard
TRIES_S = (0.0, 5.0, 30.0)  # a result is told so often, then given up
KEPT_FOR = timedelta(hours=1)  # results that are older are of no use to anybody


class SentCommand(Struct, frozen=True, kw_only=True):
    """A command that we asked of a partner. Journal kind `sentcommand`, owner "", key = `id`.

    `state`: SENT, then what the partner said: directly if it does not pass it on, else what its station said; TIMEOUT.
    """

    id: str
    connection_id: str
    command: str
    asked: dict[str, Any]
    expires_at: datetime
    state: str = "SENT"
    direct: str = ""
    error: str = ""


_sent = msgspec.json.Decoder(SentCommand)


class Commands:
    """Both directions. `orders` is the desk of our own stations."""

    def __init__(self, registry: Registry, calls: PartnerCalls, keys: Keys, orders: Orders) -> None:
        self._registry = registry
        self._calls = calls
        self._keys = keys
        self._orders = orders
        self._tasks: set[asyncio.Task[None]] = set()
        self.public_url = ""

    async def start(self) -> None:
        """Tell what was not told before the last end of this process."""
        self._orders.on_settled = self._tell_later
        owners = tuple(cpo.party for cpo in self._registry.directory.cpos())
        for order in await self._orders.unanswered(owners, to_stamp(self._registry.now() - KEPT_FOR)):
            self._tell_later(order)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # as CPO

    async def take(self, connection: Subscription, command: str, body: bytes) -> str:
        """Pass a partner's command on; the direct answer's word. Raises Refused, Unknown (location)."""
        roaming = connection.roaming
        assert roaming is not None, connection.id
        kind = commands.COMMANDS.get(command)  # type: ignore[call-overload]
        if kind is None:
            raise Refused(f"is none of {', '.join(commands.COMMANDS)}", "command")
        heard: Any = reading.read(kind, body)
        self._check_reply(roaming, heard.value.response_url)
        party, journal, asked = roaming.party, self._registry.journal, heard.value
        whom = None
        match asked:
            case commands.StartSession():
                whom = await self._driver(roaming, heard.content["token"])
                errand = await to_start(journal, party, asked.location_id, asked.evse_uid, whom)
                nothing = REJECTED
            case commands.StopSession():
                errand, nothing = await to_stop(journal, party, roaming.partner, asked.session_id), UNKNOWN_SESSION
            case commands.UnlockConnector():
                where = (asked.location_id, asked.evse_uid, asked.connector_id)
                errand, nothing = await to_unlock(journal, party, roaming.partner, *where), REJECTED
            case _:
                return NOT_SUPPORTED  # reservations
        if errand is None:
            return nothing
        partner = PartnersOrder(
            connection_id=connection.id,
            reply_to=asked.response_url,
            token=ref_of(whom, roaming.partner) if whom else None,
        )
        try:
            await self._orders.order(
                errand.station_id, errand.command, asked_by=roaming.partner, timeout_s=STATION_S, partner=partner
            )
        except (StationOffline, Unknown):
            return REJECTED
        return "ACCEPTED"

    async def _driver(self, roaming: Roaming, content: Any) -> OurToken:
        """The token of a start: it need not be known, and is from now on (2.1.1 mod_commands, StartSession.token)."""
        return (await keep_token(self._registry, roaming, reading.understood(Token, content))).token

    def _check_reply(self, roaming: Roaming, url: str) -> None:
        """A result is posted to nobody but the partner itself; it may know by a query what it is the result of."""
        if not url.isascii() or not url.isprintable() or " " in url or "#" in url:
            raise Refused("must be a URL in ASCII, without a fragment", "response_url")
        self._registry.check_url(url.partition("?")[0], "response_url")
        known = {urlsplit(each).hostname for each in (roaming.versions_url, *roaming.endpoints.values())}
        if urlsplit(url).hostname not in known:
            raise Refused("is at a host that is not known of the partner", "response_url")

    def _tell_later(self, order: Order) -> None:
        task = asyncio.create_task(self._tell(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, order: Order) -> None:
        """Post the result, and remember that it was told, or why not."""
        body = msgspec.json.encode(commands.CommandResponse(result=result_of(order)))  # type: ignore[arg-type]
        why: str | None = None
        for wait_s in TRIES_S:
            await asyncio.sleep(wait_s)
            found = self._registry.directory.subscription(order.connection_id)
            if found is None or found.state != "live" or found.roaming is None or not found.roaming.token:
                why = "the connection is suspended or over"
                break
            try:
                await self._post(found.roaming, order.reply_to, body)
            except PartnerError as error:
                why = str(error)[:500]
                trouble("partner.result_not_told", order_id=order.id, why=error)
            else:
                why = None
                event("partner.result_told", order_id=order.id, result=result_of(order))
                break
        try:
            await self._orders.replied(order.id, why)
        except (MemoryUnavailable, Unknown) as error:
            trouble("partner.result_not_kept", order_id=order.id, why=error)

    async def _post(self, roaming: Roaming, url: str, body: bytes) -> None:
        said = self._keys.open(roaming.token, PARTNER_TOKEN)
        try:
            await self._calls.call("POST", url, said, encoding=roaming.token_encoding, body=body)
        except Declined as error:
            if error.code or not 200 <= error.status < 300:  # else it took the result, and forgot the envelope
                raise

    # as eMSP

    async def send(self, connection: Subscription, command: str, asked: dict[str, Any]) -> SentCommand:
        """Ask a partner's station to do something. Raises Refused, Unknown, PartnerError."""
        roaming = connection.roaming
        if roaming is None or roaming.role != "EMSP" or connection.state != "live":
            raise Refused("is no live connection with a CPO", "state")
        if "commands" not in roaming.endpoints:
            raise Refused("the partner takes no commands", "command")
        sent = SentCommand(
            id=new_id(),
            connection_id=connection.id,
            command=command,
            asked=asked,
            expires_at=self._registry.now() + timedelta(seconds=RESULT_S),
        )
        body = await self._body(roaming, sent)
        await self._keep(sent, 0)
        try:
            url, said = f"{roaming.endpoints['commands'].rstrip('/')}/{command}", self._keys.open(roaming.token, PARTNER_TOKEN)
            reply = await self._calls.call("POST", url, said, encoding=roaming.token_encoding, body=body)
            direct = reading.read_answer(commands.CommandResponse, reply.data).value.result
        except (PartnerError, Refused) as error:
            return await self._became(sent.id, ("SENT",), state="FAILED", error=str(error)[:500])
        event("partner.commanded", command=command, command_id=sent.id, direct=direct)
        return await self._became(sent.id, ("SENT",), state="SENT" if direct == "ACCEPTED" else direct, direct=direct)

    async def heard(self, connection: Subscription, command: str, command_id: str, body: bytes) -> None:
        """A partner tells the result of a command; the first one counts. Raises Unknown, Refused."""
        sent = await self.sent(connection, command_id)
        if sent.command != command:
            raise Unknown("command", command_id)
        result = reading.understood(commands.CommandResponse, reading.decoded(body)).value.result
        await self._became(sent.id, ("SENT", "FAILED"), state=result, error="")  # FAILED: the direct answer was lost

    async def sent(self, connection: Subscription, command_id: str) -> SentCommand:
        """A command of ours as it stands. Raises Unknown."""
        stored = await self._registry.journal.get(Ref("sentcommand", "", command_id))
        sent = _sent.decode(stored.body) if stored else None
        if sent is None or sent.connection_id != connection.id:
            raise Unknown("command", command_id)
        late = sent.state == "SENT" and sent.expires_at <= self._registry.now()
        return replace(sent, state="TIMEOUT") if late else sent

    async def _body(self, roaming: Roaming, sent: SentCommand) -> bytes:
        kind = commands.COMMANDS.get(sent.command)  # type: ignore[call-overload]
        if kind is None:
            raise Refused(f"is none of {', '.join(commands.COMMANDS)}", "command")
        asked = dict(sent.asked)
        asked["response_url"] = f"{self.public_url}/ocpi/emsp/2.1.1/commands/{sent.command}/{sent.id}"
        if uid := asked.pop("token_uid", None):
            stored = await self._registry.journal.get(Ref("token", roaming.party, str(uid)))
            if stored is None:
                raise Refused(f"{roaming.party} has no token {uid!r}", "token_uid")
            ours = msgspec.json.decode(stored.body, type=OurToken)
            asked["token"] = msgspec.to_builtins(token(ours, stored.last_updated))
        return msgspec.json.encode(reading.understood(kind, asked).value)

    async def _became(self, command_id: str, states: tuple[str, ...], **changes: Any) -> SentCommand:
        """Change a command that is in one of these states; what came too late changes nothing but `direct`."""

        async def once() -> SentCommand:
            stored = await self._registry.journal.get(Ref("sentcommand", "", command_id))
            assert stored is not None, command_id
            before = _sent.decode(stored.body)
            late = before.state not in states  # the result of a command may be faster than its direct answer
            after = replace(before, direct=changes.get("direct", before.direct)) if late else replace(before, **changes)
            await self._keep(after, stored.version)
            return after

        return await again(once, self._registry.turns)

    async def _keep(self, sent: SentCommand, expect: int) -> None:
        write = Write(
            ref=Ref("sentcommand", "", sent.id),
            content=sent,
            expect=expect,
            what=sent.state.lower(),
            state=sent.state,
            counterparty=sent.connection_id,
        )
        await self._registry.journal.append(Unit(place=f"partner/{sent.connection_id}", writes=[write]))
