"""Runs every measurement, one after the other: `make bench`."""

import pkgutil
import subprocess
import sys

import bench

ORDER = ("ocpp", "idle", "pages", "push", "pricing")


def main() -> int:
    """Run what there is, in the order of the README; the number of programs that failed."""
    there = {module.name for module in pkgutil.iter_modules(bench.__path__)}
    names = [name for name in ORDER if name in there]
    return sum(subprocess.call([sys.executable, "-m", f"bench.{name}"]) != 0 for name in names)


if __name__ == "__main__":
    raise SystemExit(main())
