"""The envelope around every answer (OCPI 2.1.1 transport_and_format, Response format) and its codes."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

SUCCESS = 1000
CLIENT_ERROR = 2000
BAD_PARAMETER = 2001
UNKNOWN_LOCATION = 2003
SERVER_ERROR = 3000

_encode = msgspec.json.Encoder().encode


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`data` is left out of an error."""

    data: Any = msgspec.UNSET
    status_code: int
    status_message: str
    timestamp: str


def of_list(rows: Iterable[bytes], timestamp: str) -> bytes:
    """A successful answer with a list of rendered objects."""
    return b'{"data":[%b],"status_code":1000,"status_message":"Success","timestamp":"%b"}' % (
        b",".join(rows),
        timestamp.encode(),
    )


def of_object(data: bytes, timestamp: str) -> bytes:
    """A successful answer with one rendered object."""
    return b'{"data":%b,"status_code":1000,"status_message":"Success","timestamp":"%b"}' % (data, timestamp.encode())


def of_error(code: int, message: str, timestamp: str) -> bytes:
    """An answer that says what was wrong."""
    return _encode(Envelope(status_code=code, status_message=message, timestamp=timestamp))
