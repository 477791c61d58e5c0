"""Credentials of OCPI 2.1.1: flat, one party each."""

from msgspec import Struct

from chargewire.charging.party import split_party
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.parts import BusinessDetails


class Credentials(Struct, frozen=True, kw_only=True):
    """`token`: what the other side must say to us. `url`: our versions."""

    token: words.CredentialsToken
    url: words.Url
    business_details: BusinessDetails
    party_id: words.PartyId
    country_code: words.Country2

    @property
    def party(self) -> str:
        """`NL-AAA`."""
        return f"{self.country_code}-{self.party_id}".upper()


def credentials(token: str, url: str, name: str, party: str) -> Credentials:
    """Those of a party of ours."""
    country_code, party_id = split_party(party)
    details = BusinessDetails(name=name[:100])
    return Credentials(token=token, url=url, business_details=details, party_id=party_id, country_code=country_code)
