"""What a meter signed, in the XML of the transparency software."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from chargewire.api.signed import as_xml
from chargewire.charging.signed import SignedValue, SignedValues

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "digits"),
    [(b"3059\x1c3013", "30593013"), (b"3059 3013\r\n", "30593013"), (b"\x0b", None), (b"\x00\xff", None)],
)
def test_whatever_a_station_gives_for_a_key_the_document_can_be_read(key: bytes, digits: str | None) -> None:
    text = json.dumps({"signedMeterData": "T0NNRnw=", "encodingMethod": "OCMF", "publicKey": b64encode(key).decode()})
    value = SignedValue(at=AT, context="Transaction.End", measurand="", unit="", encoding="OCMF", text=text)
    kept = SignedValues(session_id="S", cdr_id="C", station_id="CS", evse_id="E", meter_id=None, url=None, values=(value,))
    said = ElementTree.fromstring(as_xml(kept)).find("value/publicKey")
    assert said is not None
    expected = ("hex", digits) if digits else ("base64", b64encode(key).decode())
    assert (said.get("encoding"), said.text) == expected
