"""What one side of a handshake of OCPI 2.1.1 finds out of the other: its versions, its modules, where they are."""

import asyncio

from chargewire.charging.errors import Refused
from chargewire.csms.connecting import Theirs
from chargewire.csms.registry import Registry
from chargewire.protocols.ocpi import codes
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.versions import Version, VersionDetails, rank
from chargewire.roaming.calls import Declined, PartnerCalls, PartnerError, Replied, Unreachable
from chargewire.roaming.steps import Steps
from chargewire.sharing.subscription import Roaming

CALL_S = 5.0
VERSIONS = ("2.1.1",)  # that we speak
ENCODINGS = {"raw": "base64", "base64": "raw"}
MODULES = ("credentials", "locations", "sessions", "cdrs", "tariffs", "tokens", "commands")  # others are not kept
NEEDED = {  # modules that a partner of our role can be needed for
    "CPO": ("locations", "sessions", "cdrs", "tariffs", "tokens"),
    "EMSP": ("locations", "sessions", "cdrs", "tariffs", "tokens", "commands"),
}


class Talk:
    """The calls of one handshake to a partner; each one is a step. What does not do raises HandshakeFailed."""

    def __init__(self, registry: Registry, calls: PartnerCalls) -> None:
        self._registry = registry
        self._calls = calls
        self.steps = Steps(registry)

    async def look(self, url: str, token: str, roaming: Roaming) -> Theirs:
        """What the partner has: the highest version of both, and where its modules are (2.1.1 version_information_endpoint)."""
        encoding = roaming.token_encoding
        reply, _ = await self._get(url, token, encoding, "GET versions")
        versions = self._list(Version, reply, "versions")
        ours = [each for each in versions if each.version in VERSIONS]
        if not ours:
            said = ", ".join(each.version for each in versions) or "none"
            raise self.steps.over("versions compared", codes.UNSUPPORTED_VERSION, f"the partner has {said}, we have 2.1.1")
        best = max(ours, key=lambda each: rank(each.version))
        self.check_url(best.url, "version url")
        # what was good for versions is not taken as good for more: one implementation wants Base64 there only
        reply, encoding = await self._get(best.url, token, encoding, "GET version details")
        details = self.object(VersionDetails, reply)
        endpoints = {each.identifier: each.url for each in details.endpoints if each.identifier in MODULES}
        missing = [name for name in self._needed(roaming) if name not in endpoints]
        if missing:
            raise self.steps.over("modules compared", codes.NO_MATCHING_ENDPOINTS, f"the partner has no {', '.join(missing)}")
        for name, where in endpoints.items():
            self.check_url(where, f"endpoint {name}")
        self.steps.done("modules compared", ", ".join(sorted(endpoints)))
        return Theirs(versions_url=url, version=best.version, endpoints=endpoints, encoding=encoding, token=token)

    async def call(
        self, method: str, url: str, token: str, encoding: str, what: str, body: bytes | None = None
    ) -> tuple[Replied, str]:
        """One call, and the form of the token that worked: 2.1.1 is raw, some want Base64, one of them for versions only."""
        try:
            reply = await self._in_time(method, url, token, encoding, body)
        except Declined as error:
            if not (error.status in (401, 403) or (method == "GET" and error.code // 1000 == 3)):
                raise
            self.steps.failed(what, f"{error}; once more with the token in the form {ENCODINGS[encoding]}")
            encoding = ENCODINGS[encoding]
            reply = await self._in_time(method, url, token, encoding, body)
        self.steps.done(what)
        return reply, encoding

    def check_url(self, url: str, field: str) -> None:
        """Refuse an address that we may not call."""
        try:
            self._registry.check_url(url, field)
        except Refused as error:
            raise self.steps.over("addresses checked", codes.UNUSABLE_API, str(error)) from error

    def object(self, kind: type[reading.T], reply: Replied) -> reading.T:
        """The object that an answer holds."""
        try:
            return reading.read_answer(kind, reply.data).value
        except Refused as error:
            raise self.steps.over(f"{kind.__name__} read", codes.UNUSABLE_API, str(error)) from error

    def _needed(self, roaming: Roaming) -> tuple[str, ...]:
        return ("credentials", *(name for name in NEEDED[roaming.role] if name in roaming.modules))

    async def _in_time(self, method: str, url: str, token: str, encoding: str, body: bytes | None) -> Replied:
        """A partner that starts a handshake waits while we call it back: it must not wait for long."""
        most_s = CALL_S if method == "GET" else 4 * CALL_S
        try:
            async with asyncio.timeout(most_s):
                return await self._calls.call(method, url, token, encoding=encoding, body=body)
        except TimeoutError as error:
            raise Unreachable("timeout", f"no answer within {most_s:g} s") from error

    async def _get(self, url: str, token: str, encoding: str, what: str) -> tuple[Replied, str]:
        try:
            return await self.call("GET", url, token, encoding, what)
        except PartnerError as error:
            lost = isinstance(error, Declined) and error.status in (401, 403)
            why = f"{error}: the token is not good (any more)" if lost else str(error)
            raise self.steps.over(what, codes.UNUSABLE_API, why) from error

    def _list(self, kind: type[reading.T], reply: Replied, what: str) -> list[reading.T]:
        try:
            good, _ = reading.read_list(kind, reply.data)
        except Refused as error:
            raise self.steps.over(f"{what} read", codes.UNUSABLE_API, str(error)) from error
        return [heard.value for heard in good]
