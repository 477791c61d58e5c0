"""Networks, CPOs and eMSPs: what an operator may say of them."""

from typing import Annotated

from msgspec import Meta, Struct

from chargewire.charging.errors import Refused
from chargewire.charging.flags import FLAGS
from chargewire.charging.party import is_party
from chargewire.csms.clocks import check_time_zone
from chargewire.csms.intake import read
from chargewire.csms.registry import Kept, Registry
from chargewire.journal.memory import Ref
from chargewire.sharing.subscription import Cpo, Emsp, Network

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Title = Annotated[str, Meta(min_length=1, max_length=255)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217")]


class NetworkInput(Struct, frozen=True, kw_only=True):
    """A customer organisation."""

    name: Title
    id: str | None = None  # if given, the one in the URL


class CpoInput(Struct, frozen=True, kw_only=True):
    """An operator inside a network. `local_list`: send its stations the tokens that they may accept by themselves;
    `drop_flagged`: flags with which a CDR is dropped instead of published."""

    network_id: Id
    name: Title
    currency: Currency = "EUR"
    time_zone: str = "Europe/Amsterdam"
    publish_all_cdrs: bool = True
    local_list: bool = False
    drop_flagged: tuple[str, ...] = ()
    party: str | None = None


class EmspInput(Struct, frozen=True, kw_only=True):
    """Who issues tokens; they are accepted at the CPOs of its networks. `retail_tariff_id`: what its drivers pay."""

    name: Title
    network_ids: tuple[Id, ...] = ()
    party: str | None = None
    retail_tariff_id: Id | None = None


async def put_network(registry: Registry, network_id: str, body: bytes) -> Kept:
    """Make or change a network. Raises Refused."""
    given = read(body, NetworkInput)
    network_id = check_id(network_id, given.id, "id")
    if known := registry.directory.network(network_id):  # what belongs to it names it as it was written first
        network_id = known.id
    return await registry.keep(Ref("network", "", network_id), Network(id=network_id, name=given.name))


async def put_cpo(registry: Registry, party: str, body: bytes) -> Kept:
    """Make or change a CPO. Raises Refused."""
    given = read(body, CpoInput)
    party = check_party(party, given.party)
    network = registry.directory.network(given.network_id)
    if network is None:
        raise Refused(f"there is no network {given.network_id!r}", "network_id")
    check_time_zone(given.time_zone, "time_zone")
    for index, flag in enumerate(given.drop_flagged):
        if flag not in FLAGS:
            raise Refused(f"there is no flag {flag!r}", f"drop_flagged[{index}]")
    cpo = Cpo(
        party=party,
        network_id=network.id,
        name=given.name,
        currency=given.currency,
        time_zone=given.time_zone,
        publish_all_cdrs=given.publish_all_cdrs,
        local_list=given.local_list,
        drop_flagged=tuple(sorted(set(given.drop_flagged))),
    )
    return await registry.keep(Ref("cpo", "", party), cpo)


async def put_emsp(registry: Registry, party: str, body: bytes) -> Kept:
    """Make or change an eMSP. Raises Refused."""
    given = read(body, EmspInput)
    party = check_party(party, given.party)
    if registry.directory.is_partner(party):
        raise Refused(f"{party} is a roaming partner: its tokens are its own to judge", "party")
    networks = []
    for index, network_id in enumerate(given.network_ids):
        network = registry.directory.network(network_id)
        if network is None:
            raise Refused(f"there is no network {network_id!r}", f"network_ids[{index}]")
        networks.append(network.id)
    emsp = Emsp(party=party, name=given.name, network_ids=tuple(networks), retail_tariff_id=given.retail_tariff_id)
    return await registry.keep(Ref("emsp", "", party), emsp)


def check_party(party: str, again: str | None = None) -> str:
    """A party from a URL, in capitals. Raises Refused."""
    party = party.upper()
    if not is_party(party):
        raise Refused("a party is written like NL-AAA: country code, hyphen, three letters or digits", "party")
    return check_id(party, again, "party")


def check_id(in_url: str, in_body: str | None, field: str, most: int = 64) -> str:
    """The id of the URL, if the body does not say another one; of at most so many characters. Raises Refused."""
    if in_body is not None and in_body.lower() != in_url.lower():
        raise Refused(f"the URL says {in_url!r}", field)
    if not in_url.strip() or len(in_url) > most or not in_url.isascii() or not in_url.isprintable():
        raise Refused(f"an id has 1 to {most} printable ASCII characters", field)
    return in_url
