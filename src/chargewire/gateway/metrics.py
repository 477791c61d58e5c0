"""What the gateway counts of itself, for `/metrics`."""

from msgspec import Struct, field


class Metrics(Struct):
    """Counters since the start, but for `connections`, which is how many are open."""

    connections: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # by reason
    superseded: int = 0  # sockets that were closed because a newer one of the station came
    silent: int = 0  # sockets that were given up since no ping was answered
    calls: int = 0
    mended: int = 0  # calls that broke their schema and were read all the same
    not_implemented: int = 0
    failed: int = 0  # calls that something of ours broke on, and that were answered as the last resort
    unanswered: int = 0  # calls that could not be kept, and so were not answered
    dropped: int = 0  # messages that meant nothing
    strays: int = 0  # answers to nothing that was open
    orders: dict[str, int] = field(default_factory=dict)  # by what came of them
    busy_s: float = 0.0  # time spent with messages, without waiting for the desk

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def order(self, outcome: str) -> None:
        self.orders[outcome] = self.orders.get(outcome, 0) + 1
