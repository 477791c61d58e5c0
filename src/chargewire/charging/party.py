"""Parties: who owns an object. A party is written `NL-AAA`: country code and party id (OCPI 2.1.1 credentials)."""

import re

_PARTY = re.compile(r"[A-Z]{2}-[A-Z0-9]{3}")


def is_party(text: str) -> bool:
    """Whether `text` is a party such as `NL-AAA`."""
    return _PARTY.fullmatch(text) is not None


def split_party(party: str) -> tuple[str, str]:
    """Country code and party id of a party: `NL-AAA` → (`NL`, `AAA`)."""
    country_code, _, party_id = party.partition("-")
    return country_code, party_id


def party_of_contract(auth_id: str) -> str | None:
    """The eMSP that an eMA-ID names, `NL-GFX-C0B34A240-H` → `NL-GFX`; None if it names none.

    Both separated and compact forms are read (`NLGFXC0B34A240H`), upper and lower case.
    """
    compact = auth_id.replace("-", "").replace("*", "").upper()
    party = f"{compact[:2]}-{compact[2:5]}"
    return party if len(compact) > 5 and is_party(party) else None
