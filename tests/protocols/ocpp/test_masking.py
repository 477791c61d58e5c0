"""Nothing that opens a door is kept."""

import pytest

from chargewire.protocols.ocpp.v16 import DIALECT

SECRET = "hunter2-3f2a"


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", '{"key":"AuthorizationKey","value":"%s"}'),
        ("ChangeConfiguration", '{"key":"WifiPassword","value":"%s"}'),
        ("ChangeConfiguration", '{"key":"APNSettings","value":"internet,user,%s"}'),
        ("ChangeConfiguration", '{"key":"VpnPsk","value":"%s"}'),
        ("ChangeConfiguration", '{"key":"BackendUrl","value":"wss://me:%s@example.com/ocpp"}'),
        ("GetConfiguration", '{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"%s"}],"unknownKey":[]}'),
        ("UpdateFirmware", '{"location":"ftp://me:%s@example.com/fw.bin","retrieveDate":"2026-01-01T00:00:00Z"}'),
        ("GetDiagnostics", '{"location":"https://example.com/up?X-Amz-Signature=%s&part=1"}'),
        ("DataTransfer", '{"vendorId":"x","data":"{\\"wifi\\":{\\"password\\":\\"%s\\"}}"}'),
        ("DataTransfer", '{"vendorId":"x","data":"apn=internet;password=%s"}'),
    ],
)
def test_a_secret_is_masked(action: str, payload: str) -> None:
    kept = DIALECT.masked(action, (payload % SECRET).encode())
    assert SECRET.encode() not in kept
    assert b"***" in kept


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", b'{"key": "HeartbeatInterval", "value": "60"}'),
        (
            "GetConfiguration",
            b'{"configurationKey": [{"key": "AuthorizationCacheEnabled", "readonly": false, "value": "true"}]}',
        ),
        ("DataTransfer", b'{"vendorId": "x", "messageId": "m", "data": "plain text, 17"}'),
        ("MeterValues", b'{"connectorId": 1,   "meterValue": []}'),
    ],
)
def test_what_holds_no_secret_is_kept_to_the_byte(action: str, payload: bytes) -> None:
    assert DIALECT.masked(action, payload) is payload


def test_what_cannot_be_read_is_not_kept_where_secrets_may_be() -> None:
    assert SECRET.encode() not in DIALECT.masked(
        "ChangeConfiguration", b'{"key":"AuthorizationKey","value":"%b' % SECRET.encode()
    )
