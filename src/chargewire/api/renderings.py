"""Which objects the journal keeps rendered, so that a list of them is a matter of copying bytes.

Raise the version of a line whenever what its function writes changes; pages of older versions are made again when read.
"""

from chargewire.charging.cdr import Cdr
from chargewire.charging.session import Session, SessionStatus
from chargewire.journal.memory import STAMP
from chargewire.journal.rendering import Rendering
from chargewire.protocols.platform import cdr_json, session_json


def _session_page(session: Session) -> bytes:
    """As listed by default: totals, no charging periods."""
    return session_json(session, STAMP.decode(), periods=False)


def _cdr_page(cdr: Cdr) -> bytes:
    return cdr_json(cdr, STAMP.decode())


def _is_over(session: Session) -> bool:
    """Lists give finished sessions unless they are asked for others; a running one is written again in a moment."""
    return session.status in (SessionStatus.COMPLETED, SessionStatus.INVALID)


RENDERINGS = {
    "session": Rendering(1, Session, _session_page, lasting=_is_over),
    "cdr": Rendering(3, Cdr, _cdr_page),
}
