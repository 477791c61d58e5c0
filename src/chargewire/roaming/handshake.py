"""The handshake of OCPI 2.1.1 (credentials), from both sides.

What a partner has is found out first, everything that follows from it is written at once at the end. Our TOKEN_B is written
before our POST goes out, since the partner calls back while the POST is open, and perhaps another process of ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from chargewire.charging.errors import Refused
from chargewire.charging.location import BusinessDetails
from chargewire.csms.connecting import (
    PARTNER_TOKEN,
    Theirs,
    change_connection,
    connected,
    failed,
    stored_connection,
    unregistered,
    with_token,
)
from chargewire.csms.partnering import remove_connection
from chargewire.csms.registry import Registry
from chargewire.csms.subscribing import new_token
from chargewire.log import event
from chargewire.protocols.ocpi import codes
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.credentials import Credentials, credentials
from chargewire.roaming.calls import Declined, PartnerCalls, PartnerError
from chargewire.roaming.looking import Talk
from chargewire.roaming.steps import HandshakeFailed, Steps
from chargewire.sharing.subscription import Roaming, Subscription

ANSWER_S = 1.0  # until a partner that registers has our answer and knows its own new token


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
            steps = Steps(self._registry)
            url = roaming.endpoints.get("credentials", "")
            try:
                await self._calls.call("DELETE", url, self._said(roaming), encoding=roaming.token_encoding)
                steps.done("DELETE credentials")
            except PartnerError as error:
                gone = isinstance(error, Declined) and error.status in (401, 404, 405)
                steps.failed("DELETE credentials", str(error))
                if not (anyway or gone):
                    broken = HandshakeFailed(codes.UNUSABLE_API, f"the partner was not told: {error}")
                    raise await self._broken_off(connection_id, broken, steps) from error
            after = await change_connection(self._registry, connection_id, lambda before: unregistered(before, steps.all))
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
        connection, _ = await stored_connection(self._registry, connection_id)
        if connection.roaming is None or connection.roaming.state == "connected":
            raise AlreadyRegistered("is registered already: PUT changes it")
        return await self._taken_in(connection, body, url, "POST credentials")

    async def renewed(self, connection_id: str, body: bytes, url: str) -> Credentials:
        """PUT credentials: the same for a partner that is registered. Raises likewise."""
        connection, _ = await stored_connection(self._registry, connection_id)
        if connection.roaming is None or connection.roaming.state != "connected":
            raise AlreadyRegistered("is not registered: POST does that")
        return await self._taken_in(connection, body, url, "PUT credentials")

    async def left(self, connection_id: str) -> None:
        """DELETE credentials: the partner is gone, with every token. Raises AlreadyRegistered."""

        def changed(before: Subscription) -> Subscription:
            if before.roaming is None or before.roaming.state != "connected":
                raise AlreadyRegistered("is not registered")
            steps = Steps(self._registry)
            steps.done("DELETE credentials", "by the partner")
            return unregistered(before, steps.all)

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
        talk, token_b = Talk(self._registry, self._calls), ""
        try:
            theirs = await talk.look(roaming.versions_url, self._said(roaming), roaming)
            token_b = await self._expect_call_back(connection_id)
            theirs = await self._register(method, theirs, roaming, token_b, talk)
            return await self._complete(connection_id, theirs, token_b, talk)
        except (HandshakeFailed, Refused) as error:
            kept = method == "PUT" and talk.steps.perhaps_taken  # the partner says TOKEN_B from now on, perhaps
            raise await self._broken_off(connection_id, error, talk.steps, "" if kept else token_b) from error

    async def _taken_in(self, connection: Subscription, body: bytes, url: str, what: str) -> Credentials:
        if connection.id in self._under_way:  # two at once in both directions would each take the other's tokens for old ones
            raise HandshakeFailed(codes.SERVER_ERROR, "a handshake of ours is under way: try again")
        talk = Talk(self._registry, self._calls)
        roaming = connection.roaming
        assert roaming is not None
        try:
            heard = reading.read(Credentials, body)
            self._registry.check_url(heard.value.url, "url")
            talk.steps.done(f"{what} received", f"from {heard.value.party}, {heard.value.url}")
            theirs = await talk.look(heard.value.url, heard.value.token, roaming)
            theirs = _introduced(theirs, heard.value)
            token_c = new_token()
            token_hash = self._registry.keys.hash(token_c)
            talk.steps.done("credentials answered", "with a new token; the one that invited is dead")

            def changed(before: Subscription) -> Subscription:
                if before.tokens != connection.tokens:
                    raise AlreadyRegistered("somebody else has just registered with this token")
                return connected(self._registry, before, theirs, token_hash, talk.steps.all, wait_s=ANSWER_S)

            await change_connection(self._registry, connection.id, changed)
        except (HandshakeFailed, Refused) as error:
            raise await self._broken_off(connection.id, error, talk.steps) from error
        event("partner.connected", connection_id=connection.id, partner=theirs.party, started_by="partner")
        return self.own(roaming, token_c, url)

    async def _asked(self, connection_id: str) -> Roaming:
        connection, _ = await stored_connection(self._registry, connection_id)
        roaming = connection.roaming
        if roaming is None or roaming.state != "asked":
            raise Refused("has no versions_url and token of the partner to start with", "state")
        return roaming

    async def _expect_call_back(self, connection_id: str) -> str:
        """Have TOKEN_B be good for versions and details before the partner can come with it."""
        made: list[str] = []

        def changed(before: Subscription) -> Subscription:
            after, token = with_token(self._registry, before)
            made[:] = [token]
            return after

        await change_connection(self._registry, connection_id, changed)
        return made[0]

    async def _register(self, method: str, theirs: Theirs, roaming: Roaming, token_b: str, talk: Talk) -> Theirs:
        """Give our credentials, with TOKEN_B; the partner calls back before it answers with its own."""
        talk.steps.hide(token_b)
        body = msgspec.json.encode(self.own(roaming, token_b))
        url, what = theirs.endpoints["credentials"], f"{method} credentials"
        talk.steps.perhaps_taken = True
        try:
            reply, encoding = await talk.call(method, url, theirs.token, theirs.encoding, what, body)
        except Declined as error:
            talk.steps.perhaps_taken = not error.code and error.status // 100 != 4  # a proxy's word is not the partner's
            if error.status == 405:
                why = f"{error}: the partner has us as {'registered' if method == 'POST' else 'not registered'}"
                raise talk.steps.over(what, codes.UNUSABLE_API, f"{why}; it must unregister us and give a new token") from error
            raise talk.steps.over(what, error.code or codes.UNUSABLE_API, str(error)) from error
        except PartnerError as error:
            raise talk.steps.over(what, codes.UNUSABLE_API, str(error)) from error
        heard = talk.object(Credentials, reply)
        talk.check_url(heard.url, "url")
        talk.steps.done("credentials received", f"of {heard.party}")
        return _introduced(msgspec.structs.replace(theirs, encoding=encoding), heard)

    async def _complete(self, connection_id: str, theirs: Theirs, token_b: str, talk: Talk) -> Subscription:
        token_hash = self._registry.keys.hash(token_b)

        def changed(before: Subscription) -> Subscription:
            if all(each.hash != token_hash for each in before.tokens):
                raise Refused("was invited anew, or left, meanwhile", "state")
            return connected(self._registry, before, theirs, token_hash, talk.steps.all)

        try:
            after = await change_connection(self._registry, connection_id, changed)
        except Refused:
            await self._take_back(connection_id, theirs, talk)
            raise
        event("partner.connected", connection_id=connection_id, partner=theirs.party, started_by="us")
        return after

    async def _take_back(self, connection_id: str, theirs: Theirs, talk: Talk) -> None:
        """The partner has us as registered, and nothing will come of it: it should not go on thinking so."""
        now, _ = await stored_connection(self._registry, connection_id)
        if now.roaming is None or now.roaming.state == "connected":
            return
        with suppress(PartnerError):
            await self._calls.call("DELETE", theirs.endpoints["credentials"], theirs.token, encoding=theirs.encoding)
            talk.steps.done("DELETE credentials", "taken back")

    async def _broken_off(
        self, connection_id: str, error: HandshakeFailed | Refused, steps: Steps, token_b: str = ""
    ) -> HandshakeFailed:
        """Leave the connection as it was, with the steps and without TOKEN_B, and say what is wrong."""
        withdrawn = self._registry.keys.hash(token_b) if token_b else ""
        if isinstance(error, Refused):
            steps.failed("partner checked", str(error))
        await change_connection(self._registry, connection_id, lambda before: failed(before, steps.all, withdrawn))
        event("partner.handshake_failed", connection_id=connection_id, why=error)
        code = codes.INVALID_PARAMETERS if isinstance(error, Refused) else error.code
        return HandshakeFailed(code, str(error), steps.all)

    def _said(self, roaming: Roaming) -> str:
        return self._registry.keys.open(roaming.token, PARTNER_TOKEN)


def _introduced(theirs: Theirs, said: Credentials) -> Theirs:
    business = BusinessDetails(name=said.business_details.name, website=said.business_details.website)
    return msgspec.structs.replace(theirs, party=said.party, token=said.token, versions_url=said.url, business=business)


def _connected(connection: Subscription) -> Roaming:
    roaming = connection.roaming
    if roaming is None or roaming.state != "connected":
        raise Refused("is not connected", "state")
    return roaming
