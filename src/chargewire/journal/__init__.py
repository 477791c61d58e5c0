"""The memory: objects, changes, readings and messages; two engines behind one interface (`memory.Journal`)."""

from chargewire.journal.opening import open_journal
from chargewire.journal.rendering import Rendering

__all__ = ["Rendering", "open_journal"]
