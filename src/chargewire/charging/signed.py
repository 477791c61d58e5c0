"""Signed meter values: what a meter signed, as it came, so that a driver can prove what was charged.

A station sends them as samples of the format SignedData (OCPP 1.6 §7.43, ValueFormat); some send OCMF without saying so. The
text is never read, mended or shortened: the signature is over every character of it.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from chargewire.charging.reading import Reading, Sample

SIGNED_DATA = "SignedData"
OCMF_HEAD = "OCMF|"
MARKS = (SIGNED_DATA.encode(), OCMF_HEAD.encode())
EDL_HEADS = ("1b1b1b1b", "gxsbg")  # an SML message begins with four escapes: in hexadecimal, in Base64


class SignedValue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One signed value. `text` is as the station sent it; `encoding` is our guess, "" if it looks like nothing we know."""

    at: datetime  # the station's clock, corrected
    context: str
    measurand: str
    unit: str
    encoding: str  # OCMF | EDL40 | ""
    text: str


class SignedValues(Struct, frozen=True, kw_only=True):
    """What the meter signed of a session. Journal kind `signed`, owner = the CPO, key = the session id; written once."""

    session_id: str
    cdr_id: str
    station_id: str
    evse_id: str
    meter_id: str | None
    url: str | None  # where they can be read, as the CDR says in its `remark`
    values: tuple[SignedValue, ...]


class Carried(Struct, frozen=True, kw_only=True, rename="camel"):
    """A value that is a JSON document about the signed data: how OCPP 1.6 carries what 2.0.1 has fields for
    (SignedMeterValueType)."""

    signed_meter_data: str  # Base64
    encoding_method: str = ""
    public_key: str = ""  # Base64 of the key, or of the hexadecimal digits of the key


_carried = msgspec.json.Decoder(Carried)


def carried(text: str) -> Carried | None:
    """The document that a signed text is, if it is one."""
    if not text.startswith("{"):
        return None
    try:
        return _carried.decode(text)
    except msgspec.MsgspecError:
        return None


def may_be_signed(samples: bytes) -> bool:
    """Whether stored readings are worth a look: most have no signed value in them."""
    return any(mark in samples for mark in MARKS)


def signed_values(readings: Iterable[Reading]) -> tuple[SignedValue, ...]:
    """The signed values of a session in order of time, then of arrival; the same text counts once, where it came first.

    A station tells the last ones twice, as meter values and in its stop.
    """
    found: dict[str, SignedValue] = {}
    for reading in sorted(readings, key=lambda each: each.at):
        for sample in reading.samples:
            if _is_signed(sample):
                found.setdefault(sample.value, _signed_value(reading.at, sample))
    return tuple(found.values())


def encoding_of(text: str) -> str:
    """What a signed text looks like, or says that it is."""
    if document := carried(text):
        method = document.encoding_method.upper()
        return "OCMF" if "OCMF" in method else "EDL40" if "EDL" in method else ""
    if text.startswith(OCMF_HEAD):
        return "OCMF"
    return "EDL40" if text[:8].lower().startswith(EDL_HEADS) else ""


def _is_signed(sample: Sample) -> bool:
    return bool(sample.value) and (sample.format == SIGNED_DATA or sample.value.startswith(OCMF_HEAD))


def _signed_value(at: datetime, sample: Sample) -> SignedValue:
    return SignedValue(
        at=at,
        context=sample.context,
        measurand=sample.measurand,
        unit=sample.unit,
        encoding=encoding_of(sample.value),
        text=sample.value,
    )
