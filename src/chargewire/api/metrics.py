"""Counts and latencies in the Prometheus text format (exposition format 0.0.4)."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_LABELS = 500  # a caller who makes names up fills no memory

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """HTTP requests by what was asked and how it was answered."""

    def __init__(self) -> None:
        self._counts: dict[Labels, int] = {}
        self._latencies: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def answered(self, module: str, status: int, seconds: float) -> None:
        """Count one request."""
        if module not in self._latencies:
            if len(self._latencies) >= MOST_LABELS:
                return
            self._latencies[module] = [0] * (len(BUCKETS_S) + 1)
            self._sums[module] = 0.0
        labels = (("module", module), ("status", str(status)))
        self._counts[labels] = self._counts.get(labels, 0) + 1
        self._latencies[module][bisect_left(BUCKETS_S, seconds)] += 1
        self._sums[module] += seconds

    def lines(self) -> Iterator[str]:
        """All of it as text."""
        yield from family("chargewire_http_requests_total", "counter", "HTTP requests answered.", self._counts.items())
        yield "# HELP chargewire_http_request_seconds Time to answer."
        yield "# TYPE chargewire_http_request_seconds histogram"
        for module, buckets in self._latencies.items():
            total = 0
            for limit, count in zip((*map(str, BUCKETS_S), "+Inf"), buckets, strict=True):
                total += count
                yield sample("chargewire_http_request_seconds_bucket", (("module", module), ("le", limit)), total)
            yield sample("chargewire_http_request_seconds_sum", (("module", module),), self._sums[module])
            yield sample("chargewire_http_request_seconds_count", (("module", module),), total)


def family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    """The lines of one metric."""
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield sample(name, labels, value)


def sample(name: str, labels: Labels, value: float) -> str:
    """One line."""
    written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{written}}} {value}" if written else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
