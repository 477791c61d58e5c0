"""The steps of one handshake, for whom it may concern: what was done, and what it broke off with."""

from collections.abc import Sequence

from chargewire.csms.registry import Registry
from chargewire.roaming.calls import without
from chargewire.sharing.subscription import Step


class HandshakeFailed(Exception):
    """It came to nothing, and everything is as it was. `code`: what OCPI calls it (3001, 3002, 3003, 2001)."""

    def __init__(self, code: int, message: str, steps: Sequence[Step] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.steps = tuple(steps)


class Steps:
    """The steps of one handshake. No token is ever in them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._steps: list[Step] = []
        self.perhaps_taken = False  # whether the partner may have taken our credentials
        self._secrets: list[str] = []

    def hide(self, token: str) -> None:
        """Have a token left out, wherever a partner repeats it."""
        self._secrets.append(token)

    @property
    def all(self) -> tuple[Step, ...]:
        """Every step until now."""
        return tuple(self._steps)

    def done(self, what: str, detail: str = "") -> None:
        """A step that went well."""
        self._steps.append(Step(at=self._registry.now(), what=what, ok=True, detail=detail[:500]))

    def failed(self, what: str, detail: str) -> None:
        """A step that did not."""
        detail = without(detail, *self._secrets)[:500]
        self._steps.append(Step(at=self._registry.now(), what=what, ok=False, detail=detail))

    def over(self, what: str, code: int, message: str) -> HandshakeFailed:
        """The failure that ends the handshake."""
        self.failed(what, message)
        return HandshakeFailed(code, f"{what}: {without(message, *self._secrets)[:500]}", self._steps)
