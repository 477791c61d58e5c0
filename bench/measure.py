"""What a process has cost, read from /proc, and how it is written down."""

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process so far: all of its threads, none of its children (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def pss_kb(pid: int) -> int:
    """Proportional set size in KB: memory of its own, and its share of what it has in common with others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise LookupError(f"no Pss for {pid}")


def pin(core: int) -> None:
    """Keep this process on one core, if the machine has more than one."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def share(values: Sequence[float], part: float) -> float:
    """The value that `part` (0 … 1) of all values do not exceed; 0 if there is none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0


def middle(values: Sequence[float]) -> float:
    """The median; 0 if there is none."""
    return statistics.median(values) if values else 0.0


def machine() -> str:
    """One line that tells what was measured on."""
    cpu = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    return (
        f"{now}, {os.cpu_count()} cores ({cpu}), Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table with its columns in line."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def publish(name: str, title: str, body: str) -> None:
    """Print a result and keep it in `bench/results`."""
    text = f"# {title}\n\n{machine()}.\n\n{body}\n"
    print(f"\n{text}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)


def thousands(number: float) -> str:
    """A whole number with thin groups: 66 200."""
    return f"{number:,.0f}".replace(",", " ")
