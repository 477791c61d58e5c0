"""The counters of a part as lines for `/metrics`: one metric for each field of its struct, a label for each key of a dict."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from chargewire.api.metrics import family


def figures(prefix: str, of: Callable[[], msgspec.Struct], gauges: frozenset[str] = frozenset()) -> Callable[[], Iterator[str]]:
    """Lines of all the numbers in a struct, as they are when asked. Fields in `gauges` may fall, all others only rise."""

    def lines() -> Iterator[str]:
        counted = of()
        for field in counted.__struct_fields__:
            value: Any = getattr(counted, field)
            kind = "gauge" if field in gauges else "counter"
            name = f"{prefix}_{field}" if field in gauges else f"{prefix}_{field}_total"
            if isinstance(value, dict):
                samples = [((("kind", str(key)),), float(count)) for key, count in value.items()]
                yield from family(name, kind, f"{field} by kind", samples)
            elif isinstance(value, int | float):
                yield from family(name, kind, field.replace("_", " "), [((), float(value))])

    return lines
