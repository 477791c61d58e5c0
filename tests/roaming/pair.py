"""Two Chargewires that roam with each other, over real sockets: `cpo` has a CPO with a place, `emsp` an eMSP with drivers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chargewire.app import running
from chargewire.settings import Settings
from journeys.world import ADMIN, TARIFF, Asked, ask, location, token

CPO, EMSP = "NL-AAA", "DE-EMS"
WIDE = "date_from=2020-01-01T00:00:00Z"


@dataclass
class Side:
    """One of the two."""

    url: str
    ocpp_url: str

    async def admin(self, method: str, path: str, body: object = None) -> Any:
        """An admin call that has to succeed."""
        answer = await self.tried(method, path, body)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return answer.body

    async def tried(self, method: str, path: str, body: object = None) -> Asked:
        """An admin call."""
        return await ask(method, f"{self.url}/admin/v1{path}", ADMIN, body)

    async def partner(self, connection_id: str) -> Any:
        return await self.admin("GET", f"/partners/{connection_id}")


@dataclass
class Pair:
    cpo: Side
    emsp: Side

    async def invite(self, by: str = "cpo", **more: Any) -> Any:
        """A connection as one side makes it, with TOKEN_A for the other."""
        return await getattr(self, by).admin("POST", "/partners", self.wanted(by) | more)

    def wanted(self, by: str) -> dict[str, Any]:
        role, party = ("CPO", CPO) if by == "cpo" else ("EMSP", EMSP)
        return {"name": f"of {by}", "role": role, "party": party}

    async def connected(self, inviting: str = "cpo") -> tuple[Any, Any]:
        """Both connections after a handshake: the CPO's and the eMSP's."""
        starting = "emsp" if inviting == "cpo" else "cpo"
        invited = await self.invite(inviting)
        body = self.wanted(starting) | {"versions_url": invited["versions_url"], "token": invited["token"]}
        started = await getattr(self, starting).admin("POST", "/partners", body)
        ids = {inviting: invited["id"], starting: started["id"]}
        return await self.cpo.partner(ids["cpo"]), await self.emsp.partner(ids["emsp"])


@asynccontextmanager
async def instance(data: Path, database: str | None = None) -> AsyncIterator[Side]:
    """An environment of its own on free ports."""
    settings = Settings(data=data, database=database, port=0, ocpp_port=0, admin_token=ADMIN)
    async with running(settings) as where:
        yield Side(where.url, where.ocpp_url)


@asynccontextmanager
async def pair(directory: Path) -> AsyncIterator[Pair]:
    """Both, furnished."""
    async with instance(directory / "cpo") as cpo, instance(directory / "emsp") as emsp:
        await furnish_cpo(cpo)
        await furnish_emsp(emsp)
        yield Pair(cpo, emsp)


async def furnish_cpo(side: Side) -> None:
    await side.admin("PUT", "/networks/demo", {"name": "Demo"})
    for party in (CPO, "NL-BBB"):
        await side.admin("PUT", f"/cpos/{party}", {"network_id": "demo", "name": f"CPO {party}"})
        await side.admin("PUT", f"/tariffs/{party}/T1", TARIFF)
        await side.admin("PUT", f"/locations/LOC-{party[3:]}", location(f"LOC-{party[3:]}", party, [f"CS-{party[3:]}"]))
    await side.admin("PUT", "/locations/HIDDEN", location("HIDDEN", CPO, ["CS-H"]) | {"publish": False})


async def furnish_emsp(side: Side) -> None:
    await side.admin("PUT", "/networks/drivers", {"name": "Drivers"})
    await side.admin("PUT", f"/emsps/{EMSP}", {"name": "Demo eMSP", "network_ids": ["drivers"]})
    await side.admin("PUT", "/tokens/DE-EMS/04AABBCC", token("04AABBCC", "DE-EMS-C00000001-X"))
