"""The handshake of OCPI 2.1.1 (credentials), from both sides.

What a partner has is found out first, everything that follows from it is written at once at the end. Our TOKEN_B is written
before our POST goes out, since the partner calls back while the POST is open, and perhaps another process of ours.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from chargewire.charging.errors import Refused
from chargewire.charging.location import BusinessDetails
from chargewire.csms.partnering import (
    PARTNER_TOKEN,
    Theirs,
    change_connection,
    connected,
    failed,
    remove_connection,
    stored_connection,
    unregistered,
    with_token,
)
from chargewire.csms.registry import Registry
from chargewire.csms.subscribing import new_token, write_subscription
from chargewire.journal.memory import LostRace
from chargewire.log import event
from chargewire.protocols.ocpi import codes
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.credentials import Credentials, credentials
from chargewire.protocols.ocpi.versions import Version, VersionDetails, rank
from chargewire.roaming.calls import Declined, PartnerCalls, PartnerError, Replied, Unreachable, without
from chargewire.sharing.subscription import Roaming, Step, Subscription

CALL_S = 5.0
ANSWER_S = 1.0  # until a partner that registers has our answer and knows its own new token
VERSIONS = ("2.1.1",)  # that we speak
ENCODINGS = {"raw": "base64", "base64": "raw"}
MODULES = ("credentials", "locations", "sessions", "cdrs", "tariffs", "tokens", "commands")  # others are not kept
NEEDED = {  # modules that a partner of our role can be needed for
    "CPO": ("locations", "sessions", "cdrs", "tariffs", "tokens"),
    "EMSP": ("locations", "sessions", "cdrs", "tariffs", "tokens", "commands"),
}


class HandshakeFailed(Exception):
    """It came to nothing, and everything is as it was. `code`: what OCPI calls it (3001, 3002, 3003, 2001)."""

    def __init__(self, code: int, message: str, steps: Sequence[Step] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.steps = tuple(steps)


class AlreadyRegistered(Exception):
    """POST by somebody who is registered, PUT or DELETE by somebody who is not (2.1.1 credentials: HTTP 405)."""


class Handshakes:
    """Starts handshakes, and answers those that partners start."""

    def __init__(self, registry: Registry, calls: PartnerCalls) -> None:
        self._registry = registry
        self._calls = calls
        self._under_way: set[str] = set()  # connections that a handshake of ours is going on with
        self.public_url = ""

    # we start

    async def connect(self, connection_id: str) -> Subscription:
        """Go through a handshake with the TOKEN_A that the partner gave us. Raises Unknown, Refused, HandshakeFailed."""
        with self._alone(connection_id):
            roaming = await self._asked(connection_id)
            return await self._exchange("POST", connection_id, roaming)

    async def renew(self, connection_id: str) -> Subscription:
        """Rotate both tokens and learn the partner's endpoints anew (PUT credentials). Raises as `connect`."""
        with self._alone(connection_id):
            connection, _ = await stored_connection(self._registry, connection_id)
            return await self._exchange("PUT", connection_id, _connected(connection))

    async def unregister(self, connection_id: str, *, anyway: bool = False) -> Subscription:
        """DELETE credentials. `anyway`: also if the partner does not hear it. Raises Unknown, Refused, HandshakeFailed."""
        with self._alone(connection_id):
            connection, _ = await stored_connection(self._registry, connection_id)
            roaming = _connected(connection)
            log = _Log(self._registry)
            url = roaming.endpoints.get("credentials", "")
            try:
                await self._calls.call("DELETE", url, self._said(roaming), encoding=roaming.token_encoding)
                log.done("DELETE credentials")
            except PartnerError as error:
                gone = isinstance(error, Declined) and error.status in (401, 404, 405)
                log.failed("DELETE credentials", str(error))
                if not (anyway or gone):
                    broken = HandshakeFailed(codes.UNUSABLE_API, f"the partner was not told: {error}")
                    raise await self._broken_off(connection_id, broken, log) from error
            after = await change_connection(self._registry, connection_id, lambda before: unregistered(before, log.steps))
        event("partner.unregistered", connection_id=connection_id, by="us")
        return after

    async def forget(self, connection_id: str) -> None:
        """Remove a connection that is not connected. Raises Unknown, Refused."""
        with self._alone(connection_id):
            await remove_connection(self._registry, connection_id)

    # they start

    async def registered(self, connection_id: str, body: bytes, url: str) -> Credentials:
        """POST credentials: register the partner. Gives our credentials, with TOKEN_C.

        Raises AlreadyRegistered, Refused (2001), HandshakeFailed (3001, 3002, 3003); then TOKEN_A is still good.
        """
        connection, version = await stored_connection(self._registry, connection_id)
        if connection.roaming is None or connection.roaming.state == "connected":
            raise AlreadyRegistered("is registered already: PUT changes it")
        return await self._taken_in(connection, version, body, url, "POST credentials")

    async def renewed(self, connection_id: str, body: bytes, url: str) -> Credentials:
        """PUT credentials: the same for a partner that is registered. Raises likewise."""
        connection, version = await stored_connection(self._registry, connection_id)
        if connection.roaming is None or connection.roaming.state != "connected":
            raise AlreadyRegistered("is not registered: POST does that")
        return await self._taken_in(connection, version, body, url, "PUT credentials")

    async def left(self, connection_id: str) -> None:
        """DELETE credentials: the partner is gone, with every token. Raises AlreadyRegistered."""

        def changed(before: Subscription) -> Subscription:
            if before.roaming is None or before.roaming.state != "connected":
                raise AlreadyRegistered("is not registered")
            log = _Log(self._registry)
            log.done("DELETE credentials", "by the partner")
            return unregistered(before, log.steps)

        await change_connection(self._registry, connection_id, changed)
        event("partner.unregistered", connection_id=connection_id, by="partner")

    def own(self, roaming: Roaming, token: str, url: str = "") -> Credentials:
        """Our credentials to a partner."""
        directory = self._registry.directory
        party = directory.cpo(roaming.party) if roaming.role == "CPO" else directory.emsp(roaming.party)
        return credentials(token, url or self.versions_url(roaming), party.name if party else roaming.party, roaming.party)

    def versions_url(self, roaming: Roaming) -> str:
        """Where the partner finds our versions."""
        return f"{self.public_url}/ocpi/{roaming.role.lower()}/versions"

    # inside

    @contextmanager
    def _alone(self, connection_id: str) -> Iterator[None]:
        """One handshake of ours at a time. Raises Refused."""
        if connection_id in self._under_way:
            raise Refused("is in the middle of a handshake", "state")
        self._under_way.add(connection_id)
        try:
            yield
        finally:
            self._under_way.discard(connection_id)

    async def _exchange(self, method: str, connection_id: str, roaming: Roaming) -> Subscription:
        """Each side's credentials for the other's."""
        log, token_b = _Log(self._registry), ""
        try:
            theirs = await self._look(roaming.versions_url, self._said(roaming), roaming, log)
            token_b = await self._expect_call_back(connection_id)
            theirs = await self._register(method, theirs, roaming, token_b, log)
            return await self._complete(connection_id, theirs, token_b, log)
        except (HandshakeFailed, Refused) as error:
            kept = method == "PUT" and log.perhaps_taken  # the partner says TOKEN_B from now on, perhaps
            raise await self._broken_off(connection_id, error, log, "" if kept else token_b) from error

    async def _taken_in(self, connection: Subscription, version: int, body: bytes, url: str, what: str) -> Credentials:
        if connection.id in self._under_way:  # two at once in both directions would each take the other's tokens for old ones
            raise HandshakeFailed(codes.SERVER_ERROR, "a handshake of ours is under way: try again")
        log = _Log(self._registry)
        roaming = connection.roaming
        assert roaming is not None
        heard = reading.read(Credentials, body)
        self._registry.check_url(heard.value.url, "url")
        log.done(f"{what} received", f"from {heard.value.party}, {heard.value.url}")
        try:
            theirs = await self._look(heard.value.url, heard.value.token, roaming, log)
            theirs = _introduced(theirs, heard.value)
            token_c = new_token()
            token_hash = self._registry.keys.hash(token_c)
            log.done("credentials answered", "with a new token; the one that invited is dead")
            after = connected(self._registry, connection, theirs, token_hash, tuple(log.steps), wait_s=ANSWER_S)
            await write_subscription(self._registry, after, version)
        except LostRace as error:
            raise AlreadyRegistered("somebody else has just registered with this token") from error
        except (HandshakeFailed, Refused) as error:
            raise await self._broken_off(connection.id, error, log) from error
        event("partner.connected", connection_id=connection.id, partner=theirs.party, started_by="partner")
        return self.own(roaming, token_c, url)

    async def _asked(self, connection_id: str) -> Roaming:
        connection, _ = await stored_connection(self._registry, connection_id)
        roaming = connection.roaming
        if roaming is None or roaming.state != "asked":
            raise Refused("has no versions_url and token of the partner to start with", "state")
        return roaming

    async def _look(self, url: str, token: str, roaming: Roaming, log: "_Log") -> Theirs:
        """What the partner has: the highest version of both, and where its modules are (2.1.1 version_information_endpoint)."""
        encoding = roaming.token_encoding
        reply, _ = await self._get(url, token, encoding, "GET versions", log)
        versions = self._list(Version, reply, "versions", log)
        ours = [each for each in versions if each.version in VERSIONS]
        if not ours:
            said = ", ".join(each.version for each in versions) or "none"
            raise log.over("versions compared", codes.UNSUPPORTED_VERSION, f"the partner has {said}, we have 2.1.1")
        best = max(ours, key=lambda each: rank(each.version))
        self._check_url(best.url, "version url", log)
        # what was good for versions is not taken as good for more: one implementation wants Base64 there only
        reply, encoding = await self._get(best.url, token, encoding, "GET version details", log)
        details = self._object(VersionDetails, reply, log)
        endpoints = {each.identifier: each.url for each in details.endpoints if each.identifier in MODULES}
        missing = [name for name in self._needed(roaming) if name not in endpoints]
        if missing:
            raise log.over("modules compared", codes.NO_MATCHING_ENDPOINTS, f"the partner has no {', '.join(missing)}")
        for name, where in endpoints.items():
            self._check_url(where, f"endpoint {name}", log)
        log.done("modules compared", ", ".join(sorted(endpoints)))
        return Theirs(versions_url=url, version=best.version, endpoints=endpoints, encoding=encoding, token=token)

    def _needed(self, roaming: Roaming) -> tuple[str, ...]:
        return ("credentials", *(name for name in NEEDED[roaming.role] if name in roaming.modules))

    async def _call(
        self, method: str, url: str, token: str, encoding: str, what: str, log: "_Log", body: bytes | None = None
    ) -> tuple[Replied, str]:
        """One call, and the form of the token that worked: 2.1.1 is raw, some want Base64, one of them for versions only."""
        try:
            reply = await self._in_time(method, url, token, encoding, body)
        except Declined as error:
            if not (error.status in (401, 403) or (method == "GET" and error.code // 1000 == 3)):
                raise
            log.failed(what, f"{error}; once more with the token in the form {ENCODINGS[encoding]}")
            encoding = ENCODINGS[encoding]
            reply = await self._in_time(method, url, token, encoding, body)
        log.done(what)
        return reply, encoding

    async def _in_time(self, method: str, url: str, token: str, encoding: str, body: bytes | None) -> Replied:
        """A partner that starts a handshake waits while we call it back: it must not wait for long."""
        try:
            async with asyncio.timeout(CALL_S if method == "GET" else 4 * CALL_S):
                return await self._calls.call(method, url, token, encoding=encoding, body=body)
        except TimeoutError as error:
            raise Unreachable("timeout", f"no answer within {CALL_S:g} s") from error

    async def _get(self, url: str, token: str, encoding: str, what: str, log: "_Log") -> tuple[Replied, str]:
        try:
            return await self._call("GET", url, token, encoding, what, log)
        except PartnerError as error:
            lost = isinstance(error, Declined) and error.status in (401, 403)
            why = f"{error}: the token is not good (any more)" if lost else str(error)
            raise log.over(what, codes.UNUSABLE_API, why) from error

    async def _expect_call_back(self, connection_id: str) -> str:
        """Have TOKEN_B be good for versions and details before the partner can come with it."""
        made: list[str] = []

        def changed(before: Subscription) -> Subscription:
            after, token = with_token(self._registry, before)
            made[:] = [token]
            return after

        await change_connection(self._registry, connection_id, changed)
        return made[0]

    async def _register(self, method: str, theirs: Theirs, roaming: Roaming, token_b: str, log: "_Log") -> Theirs:
        """Give our credentials, with TOKEN_B; the partner calls back before it answers with its own."""
        log.hide(token_b)
        body = msgspec.json.encode(self.own(roaming, token_b))
        url, what = theirs.endpoints["credentials"], f"{method} credentials"
        log.perhaps_taken = True
        try:
            reply, encoding = await self._call(method, url, theirs.token, theirs.encoding, what, log, body)
        except Declined as error:
            log.perhaps_taken = not error.code and error.status // 100 != 4  # a proxy's word is not the partner's
            if error.status == 405:
                why = f"{error}: the partner has us as {'registered' if method == 'POST' else 'not registered'}"
                raise log.over(what, codes.UNUSABLE_API, f"{why}; it must unregister us and give a new token") from error
            raise log.over(what, error.code or codes.UNUSABLE_API, str(error)) from error
        except PartnerError as error:
            raise log.over(what, codes.UNUSABLE_API, str(error)) from error
        heard = self._object(Credentials, reply, log)
        self._check_url(heard.url, "url", log)
        log.done("credentials received", f"of {heard.party}")
        return _introduced(msgspec.structs.replace(theirs, encoding=encoding), heard)

    async def _complete(self, connection_id: str, theirs: Theirs, token_b: str, log: "_Log") -> Subscription:
        token_hash = self._registry.keys.hash(token_b)

        def changed(before: Subscription) -> Subscription:
            if all(each.hash != token_hash for each in before.tokens):
                raise Refused("was invited anew, or left, meanwhile", "state")
            return connected(self._registry, before, theirs, token_hash, log.steps)

        try:
            after = await change_connection(self._registry, connection_id, changed)
        except Refused:
            await self._take_back(connection_id, theirs, log)
            raise
        event("partner.connected", connection_id=connection_id, partner=theirs.party, started_by="us")
        return after

    async def _take_back(self, connection_id: str, theirs: Theirs, log: "_Log") -> None:
        """The partner has us as registered, and nothing will come of it: it should not go on thinking so."""
        now, _ = await stored_connection(self._registry, connection_id)
        if now.roaming is None or now.roaming.state == "connected":
            return
        with suppress(PartnerError):
            await self._calls.call("DELETE", theirs.endpoints["credentials"], theirs.token, encoding=theirs.encoding)
            log.done("DELETE credentials", "taken back")

    async def _broken_off(
        self, connection_id: str, error: HandshakeFailed | Refused, log: "_Log", token_b: str = ""
    ) -> HandshakeFailed:
        """Leave the connection as it was, with the steps and without TOKEN_B, and say what is wrong."""
        withdrawn = self._registry.keys.hash(token_b) if token_b else ""
        if isinstance(error, Refused):
            log.failed("partner checked", str(error))
        await change_connection(self._registry, connection_id, lambda before: failed(before, log.steps, withdrawn))
        event("partner.handshake_failed", connection_id=connection_id, why=error)
        code = codes.INVALID_PARAMETERS if isinstance(error, Refused) else error.code
        return HandshakeFailed(code, str(error), log.steps)

    def _said(self, roaming: Roaming) -> str:
        return self._registry.keys.open(roaming.token, PARTNER_TOKEN)

    def _check_url(self, url: str, field: str, log: "_Log") -> None:
        try:
            self._registry.check_url(url, field)
        except Refused as error:
            raise log.over("addresses checked", codes.UNUSABLE_API, str(error)) from error

    def _object(self, kind: type[reading.T], reply: Replied, log: "_Log") -> reading.T:
        try:
            return reading.read_answer(kind, reply.data).value
        except Refused as error:
            raise log.over(f"{kind.__name__} read", codes.UNUSABLE_API, str(error)) from error

    def _list(self, kind: type[reading.T], reply: Replied, what: str, log: "_Log") -> list[reading.T]:
        try:
            good, _ = reading.read_list(kind, reply.data)
        except Refused as error:
            raise log.over(f"{what} read", codes.UNUSABLE_API, str(error)) from error
        return [heard.value for heard in good]


class _Log:
    """The steps of one handshake. No token is ever in them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._steps: list[Step] = []
        self.perhaps_taken = False  # whether the partner may have taken our credentials
        self._secrets: list[str] = []

    def hide(self, token: str) -> None:
        """Have a token left out, wherever a partner repeats it."""
        self._secrets.append(token)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps)

    def done(self, what: str, detail: str = "") -> None:
        self._steps.append(Step(at=self._registry.now(), what=what, ok=True, detail=detail[:500]))

    def failed(self, what: str, detail: str) -> None:
        detail = without(detail, *self._secrets)[:500]
        self._steps.append(Step(at=self._registry.now(), what=what, ok=False, detail=detail))

    def over(self, what: str, code: int, message: str) -> HandshakeFailed:
        """The failure that ends the handshake."""
        self.failed(what, message)
        return HandshakeFailed(code, f"{what}: {without(message, *self._secrets)[:500]}", self._steps)


def _introduced(theirs: Theirs, said: Credentials) -> Theirs:
    business = BusinessDetails(name=said.business_details.name, website=said.business_details.website)
    return msgspec.structs.replace(theirs, party=said.party, token=said.token, versions_url=said.url, business=business)


def _connected(connection: Subscription) -> Roaming:
    roaming = connection.roaming
    if roaming is None or roaming.state != "connected":
        raise Refused("is not connected", "state")
    return roaming
