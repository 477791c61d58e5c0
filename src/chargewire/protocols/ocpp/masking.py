"""Secrets out of messages, before anything keeps them: keys, passwords, VPN and APN data, addresses that open a door.

Masking works on what the JSON says, not on one version's structs: a vendor's own keys are caught by their names.
"""

import json
import re
from typing import Any

import msgspec

MASK = "***"

_SECRET_NAME = re.compile(
    r"authorization_?key|pass_?(word|wd|phrase|code)|\bpwd\b|pwd$|secret|private_?key|pre_?shared|\bpsk\b|psk$|token(?!type)"
    r"|api_?key|credential|vpn|apn|sim_?pin|\bpin\b|pin_?code",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"enabled$|supported$|^message_?id$|^vendor_?id$|length$|interval$", re.IGNORECASE)
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/@\s]*@", re.IGNORECASE)
_SIGNED = re.compile(
    r"(?P<name>[?&](?:[\w.-]*(?:signature|sig|token|key|secret|password|credential|auth|code)[\w.-]*)=)[^&\s\"']+",
    re.IGNORECASE,
)
_PAIR = re.compile(r"(?P<name>[\w.-]+)(?P<sign>\s*[=:]\s*)(?P<value>[^\s,;&]+)")


def masked(payload: bytes) -> bytes:
    """The payload with its secrets replaced; the very same bytes if it holds none.

    What is not JSON, or nested beyond reason, is masked as a whole.
    """
    try:
        value = msgspec.json.decode(payload)
        clean = _clean(value)
        return payload if clean == value else msgspec.json.encode(clean)
    except (msgspec.MsgspecError, RecursionError):  # hundreds of brackets in each other: nobody's message
        return b'"' + MASK.encode() + b'"'


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return _clean_object(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return _clean_text(value) if isinstance(value, str) else value


def _clean_object(value: dict[str, Any]) -> dict[str, Any]:
    """Beside fields with a secret name also pairs of OCPP: {"key": "AuthorizationKey", "value": …}."""
    names_secret = any(_secret(value[name]) for name in ("key", "variable", "name") if isinstance(value.get(name), str))
    return {
        name: MASK if each is not None and (_secret(name) or (names_secret and name == "value")) else _clean(each)
        for name, each in value.items()
    }


def _clean_text(text: str) -> str:
    if text[:1] in "{[" and text:
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            clean = _clean(inner)
            return text if clean == inner else json.dumps(clean)
    if "://" in text:
        text = _SIGNED.sub(lambda found: found["name"] + MASK, _USERINFO.sub(lambda found: f"{found['scheme']}{MASK}@", text))
    elif _SECRET_NAME.search(text):
        text = _PAIR.sub(_clean_pair, text)
    return text


def _clean_pair(found: re.Match[str]) -> str:
    return f"{found['name']}{found['sign']}{MASK}" if _secret(found["name"]) else found[0]


def _secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _HARMLESS.search(name) is None
