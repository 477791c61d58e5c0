"""What an answer means for the object that was sent and for the endpoint that it was sent to."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from chargewire.outgoing.connection import Answer, Failure, Result

LONGEST_WAIT_S = 3600.0
DEFAULT_WAIT_S = 5.0
SHORTEST_WAIT_S = 1.0
SHOWN = 4096  # characters of an answer that are kept to be shown

UNKNOWN_OBJECT = range(2003, 2004)  # OCPI 2.1.1 status_codes, "Unknown location"; receivers use it for any object


class Verdict(Struct, frozen=True):
    """`kind` says who is to blame:

    - ok: told
    - missing: the receiver does not have what a PATCH is about
    - object: this object is refused, others may pass
    - endpoint: nothing passes now
    - throttle: not before `wait_s`
    - credentials: our token is refused
    - gone: the receiver wants no more of this module
    - ours: we could not even try

    `doubt`: the receiver may have taken it all the same.
    """

    kind: str
    code: str = ""
    error: str = ""
    wait_s: float = 0.0
    doubt: bool = False


OK = Verdict("ok")
_DOUBTFUL = ("timeout", "reset", "malformed", "too-large")


class _Envelope(Struct):
    status_code: int | None = None
    status_message: str | None = None


_envelope = msgspec.json.Decoder(_Envelope, strict=False)


def judge(result: Result, now: datetime | None = None) -> Verdict:
    """The meaning of an answer, or of its absence. `now` matters for a `Retry-After` that is a date."""
    if isinstance(result, Failure):
        return Verdict("endpoint", result.kind, result.message, doubt=result.kind in _DOUBTFUL)
    status = result.status
    if 200 <= status < 300:
        return _judge_envelope(result.body) if result.body[:1] == b"{" else OK
    code, error = str(status), _shown(result)
    if status == 429 or (status == 503 and result.retry_after):
        return Verdict("throttle", code, error, wait_s=_wait_s(result.retry_after, now or datetime.now(UTC)))
    if status >= 500:
        return Verdict("endpoint", code, error, doubt=True)
    if 300 <= status < 400:
        return Verdict("endpoint", code, f"redirects to {result.location[:200]!r}, which is not followed")
    if status in (401, 403):
        return Verdict("credentials", code, error)
    if status == 404:
        return Verdict("missing", code, error)
    if status == 408:
        return Verdict("endpoint", code, error, doubt=True)
    return Verdict("gone" if status == 410 else "object", code, error)


def _judge_envelope(body: bytes) -> Verdict:
    """A 2xx counts only if the OCPI envelope in it, if it is one, agrees (OCPI 2.1.1 transport_and_format, status codes)."""
    try:
        envelope = _envelope.decode(body)
    except msgspec.DecodeError:
        return OK
    code = envelope.status_code
    if code is None or 1000 <= code < 2000:
        return OK
    error = (envelope.status_message or "")[:SHOWN]
    if code in UNKNOWN_OBJECT:
        return Verdict("missing", str(code), error)
    return Verdict("object" if 2000 <= code < 3000 else "endpoint", str(code), error, doubt=code >= 3000)


def _wait_s(retry_after: str, now: datetime) -> float:
    """Seconds or an HTTP date (RFC 9110 §10.2.3), within 1 s … 1 h; nonsense is 5 s."""
    try:
        seconds = float(int(retry_after))
    except ValueError:
        try:
            at = parsedate_to_datetime(retry_after)
        except ValueError:
            return DEFAULT_WAIT_S
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return DEFAULT_WAIT_S if seconds < 0 else min(max(seconds, SHORTEST_WAIT_S), LONGEST_WAIT_S)


def _shown(answer: Answer) -> str:
    return answer.body[:SHOWN].decode(errors="replace").replace("\x00", "")
