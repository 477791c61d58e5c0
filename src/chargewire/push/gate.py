"""Whether an endpoint may be sent to now, and how much at a time. Pure; times are µs since 1970 and come with each call.

After a failure of the endpoint it is tried with one object at growing intervals; when that works the window doubles with each
answer until it is whole again.
"""

from collections.abc import Callable
from random import random

WINDOW = 32
STEPS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 120.0, 300.0)
CREDENTIAL_STEPS_S = (10.0, 30.0, 60.0, 300.0)
SAME_REFUSALS = 50  # that many objects refused with one code and none taken: it is the endpoint
SECOND = 1_000_000


class Gate:
    """One endpoint. Whoever takes up an object adds one to `in_flight`; each way for it to end takes one off."""

    def __init__(self, window: int = WINDOW, jitter: Callable[[], float] = random) -> None:
        self.window = window
        self.in_flight = 0
        self.paused = False
        self.stopped = ""  # the receiver wants no more: why
        self.failures = 0  # in a row, each try counted once
        self.closed_until = 0
        self.closed_at = 0
        self.last_error = ""
        self.last_error_at = 0
        self._limit = window
        self._jitter = jitter
        self._refusals: tuple[str, int] = ("", 0)

    def room(self, now: int) -> int:
        """How many more requests may start."""
        if self.paused or self.stopped or now < self.closed_until:
            return 0
        return max((1 if self.failures else self._limit) - self.in_flight, 0)

    def opens_at(self) -> int:
        """When `room` may change by itself; 0 if nothing is waited for."""
        return 0 if self.paused or self.stopped else self.closed_until

    def ended(self) -> None:
        """A request is over whose outcome says nothing about the endpoint."""
        self.in_flight -= 1

    def worked(self) -> None:
        """An object was taken."""
        self.in_flight -= 1
        if self.failures:
            self.failures = 0
            self._limit = 1
        if self._limit < self.window:
            self._limit = min(self._limit * 2, self.window)
        self._refusals = ("", 0)

    def refused(self, code: str, error: str, now: int) -> bool:
        """An object was refused. True if by now that counts as a failure of the endpoint."""
        before, count = self._refusals
        self._refusals = (code, count + 1 if code == before else 1)
        if self._refusals[1] > SAME_REFUSALS:
            self.failed(code, error, now, now)
            return True
        self.in_flight -= 1
        self._note(f"{code} {error}", now)
        return False

    def failed(self, code: str, error: str, started_at: int, now: int, *, credentials: bool = False) -> None:
        """The endpoint failed. Requests that were under way together count once."""
        self.in_flight -= 1
        self._note(f"{code} {error}", now)
        if started_at < self.closed_at:
            return
        steps = CREDENTIAL_STEPS_S if credentials else STEPS_S
        wait_s = steps[min(self.failures, len(steps) - 1)] * (0.8 + 0.4 * self._jitter())
        self.failures += 1
        self.closed_at = now
        self.closed_until = now + int(wait_s * SECOND)

    def throttled(self, wait_s: float, error: str, now: int) -> None:
        """The endpoint asked for time. That is no failure, but half as much at a time from then on."""
        self.in_flight -= 1
        self._note(error, now)
        if now >= self.closed_until:
            self._limit = max(self._limit // 2, 1)
        self.closed_at = now
        self.closed_until = max(self.closed_until, now + int(wait_s * SECOND))

    def hold(self, until: int) -> None:
        """Nothing is sent before, and nothing has failed."""
        self.closed_until = max(self.closed_until, until)

    def stop(self, error: str, now: int) -> None:
        """The endpoint is gone."""
        self.in_flight -= 1
        self._note(error, now)
        self.stopped = error

    def reset(self) -> None:
        """The endpoint has another URL or token, or somebody says that it works again."""
        self.stopped = ""
        self.failures = 0
        self.closed_until = 0
        self._limit = self.window
        self._refusals = ("", 0)

    def _note(self, error: str, now: int) -> None:
        self.last_error, self.last_error_at = error.strip(), now
