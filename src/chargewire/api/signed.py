"""`/signed/{capability}`: what a meter signed of one session, for whoever has the address from the CDR's `remark`.

There is no login and no list. The address is the proof; a wrong one answers like one that never was.
"""

import re
from base64 import b64decode, b64encode
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from msgspec import Struct

from chargewire.api.asking import query_of
from chargewire.api.context import Asking, api_of
from chargewire.api.faults import JSON, BadParameter
from chargewire.charging.signed import SignedValue, SignedValues, carried
from chargewire.csms.signed import read_signed

TEXT, XML = "text/plain; charset=utf-8", "application/xml; charset=utf-8"
FORMATS = {"json": JSON, "text": TEXT, "xml": XML}
ASKED_BY = {"application/json": "json", "text/plain": "text", "text/html": "text", "application/xml": "xml", "text/xml": "xml"}
HEADERS = {  # what a station wrote is nobody's page; and the address is a secret
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "private, max-age=3600",
    "Vary": "Accept",
}
TRANSPARENCY = {"OCMF": "OCMF", "EDL40": "EDL_40_P"}  # what the transparency software calls them
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # \r, too: a parser makes \n of it
_HEX = re.compile(r"[0-9A-Fa-f\s]+")


class FormatAsked(Struct, frozen=True, kw_only=True):
    format: str | None = None


@get("/signed/{capability:str}", opt={"query": FormatAsked})
async def get_signed(request: Asking, capability: FromPath[str]) -> Response[bytes]:
    """The signed values as the station sent them: as JSON with their times, as text alone, or in the XML of the transparency
    software."""
    api = api_of(request)
    kept = await read_signed(api.journal, api.keys, capability)
    chosen = _format(request)
    body = {"json": as_json, "text": as_text, "xml": as_xml}[chosen](kept)
    return Response(body, media_type=FORMATS[chosen], headers=HEADERS)


def as_json(kept: SignedValues) -> bytes:
    """Everything that is known of them."""
    return msgspec.json.encode(kept)


def as_text(kept: SignedValues) -> bytes:
    """The signed texts and nothing else, one after another, each but the last followed by a line break."""
    return "\n".join(value.text for value in kept.values).encode()


def as_xml(kept: SignedValues) -> bytes:
    """The container that the transparency software of S.A.F.E. opens, with what is signed taken out of what carries it.

    A text that XML cannot hold as it is is in Base64.
    """
    values = "".join(_xml_value(value) for value in kept.values)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<values>\n{values}</values>\n'.encode()


def _xml_value(value: SignedValue) -> str:
    named = TRANSPARENCY.get(value.encoding)
    format_ = f" format={quoteattr(named)}" if named else ""
    encoding, text, key = _signed(value)
    signed = f'<signedData{format_} encoding="{encoding}">{escape(text)}</signedData>{_key(key)}'
    return f'<value transactionId="1" context={quoteattr(_NOT_XML.sub("", value.context))}>{signed}</value>\n'


def _signed(value: SignedValue) -> tuple[str, str, bytes]:
    """How what was signed is written, what is written, and the key that came with it (b"": none did)."""
    if (document := carried(value.text)) and (data := _decoded(document.signed_meter_data)):
        if value.encoding == "OCMF" and not _NOT_XML.search(text := data.decode(errors="replace")) and text.encode() == data:
            return "plain", text, _decoded(document.public_key)
        return "base64", b64encode(data).decode(), _decoded(document.public_key)
    if _NOT_XML.search(value.text):
        return "base64", b64encode(value.text.encode()).decode(), b""
    if value.encoding != "EDL40":
        return "plain", value.text, b""
    return "hex" if _HEX.fullmatch(value.text) else "base64", value.text, b""  # it is binary


def _key(key: bytes) -> str:
    if not key:
        return ""
    digits = "".join(key.decode("ascii", errors="replace").split())
    encoding, text = ("hex", digits) if _HEX.fullmatch(digits) else ("base64", b64encode(key).decode())
    return f'<publicKey encoding="{encoding}">{text}</publicKey>'


def _decoded(base64: str) -> bytes:
    try:
        return b64decode(base64, validate=True)
    except ValueError:
        return b""


def _format(request: Asking) -> str:
    """What `format` says, else the first of `Accept` that we have, else JSON."""
    asked = query_of(request, FormatAsked).format
    if asked is not None:
        if asked.lower() not in FORMATS:
            raise BadParameter("format", f"must be one of {', '.join(FORMATS)}")
        return asked.lower()
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return next((ASKED_BY[kind] for kind in accepted if kind in ASKED_BY), "json")


ROUTES: list[Any] = [get_signed]
