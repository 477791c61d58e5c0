"""What a station has said of its local authorization list, before it is sent one (OCPP 1.6 §9.1, §9.3)."""

from msgspec import Struct

from chargewire.charging.commands import Answer, Order
from chargewire.charging.local_list import ListLimits

KEYS = (
    "LocalAuthListEnabled",
    "LocalAuthListMaxLength",
    "LocalPreAuthorize",
    "SendLocalListMaxLength",
    "SupportedFeatureProfiles",
)
NO_WORD = ("NotImplemented", "NotSupported")  # errors that say: there is nothing of the kind here


class Met(Struct, frozen=True):
    """A station as it is since it is connected: what it can take, and the version that it has (-2: it did not say)."""

    limits: ListLimits
    version: int


def met_as(configuration: Order, version: Order) -> Met | str:
    """What the answers to ReadConfiguration and GetLocalListVersion say; text: why the station keeps no list."""
    said = _values(configuration.answer)
    if "locallistmanagement" not in said.get("supportedfeatureprofiles", "locallistmanagement").replace("auth", ""):
        return "LocalAuthListManagement is not among its SupportedFeatureProfiles"
    if said.get("localauthlistenabled") == "false":
        return "LocalAuthListEnabled is false"
    if version.error and version.error.startswith(NO_WORD):
        return version.error
    number = version.answer.details.get("listVersion") if version.answer else None
    if number == -1:
        return "it keeps no list (version -1)"
    usual = ListLimits()
    limits = ListLimits(
        chunk=_count(said.get("sendlocallistmaxlength"), usual.chunk),
        length=_count(said.get("localauthlistmaxlength"), usual.length),
        asks_first=said.get("localpreauthorize") == "false",
    )
    return Met(limits, number if isinstance(number, int) and not isinstance(number, bool) else -2)


def _values(answer: Answer | None) -> dict[str, str]:
    rows = answer.details.get("configurationKey") if answer else None
    pairs = [(row.get("key"), row.get("value")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {str(key).casefold(): str(value).strip().casefold() for key, value in pairs if value is not None}


def _count(text: str | None, usual: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0 else usual
