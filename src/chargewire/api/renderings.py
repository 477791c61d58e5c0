"""Which objects the journal keeps rendered, so that a list of them is a matter of copying bytes.

Raise the version of a line whenever what its function writes changes; pages of older versions are made again when read.
"""

from chargewire.charging.cdr import Cdr
from chargewire.charging.session import Session
from chargewire.journal.memory import STAMP
from chargewire.journal.rendering import Rendering
from chargewire.protocols.platform import cdr_json, session_json


def _session_page(session: Session) -> bytes:
    """As listed by default: totals, no charging periods."""
    return session_json(session, STAMP.decode(), periods=False)


def _cdr_page(cdr: Cdr) -> bytes:
    return cdr_json(cdr, STAMP.decode())


RENDERINGS = {"session": Rendering(1, Session, _session_page), "cdr": Rendering(1, Cdr, _cdr_page)}
