"""Messages a second: stations that send MeterValues, one in flight each, against four servers.

The server has core 0, the load core 1. Counted is the CPU time of the server's process with all of its threads; PostgreSQL
is another process and not in it.

    python -m bench.ocpp --stations 1000 --seconds 20 --servers echo,peer,sqlite,postgres
"""

import argparse
import json
import subprocess
import sys

from bench import places, servers
from bench.measure import middle, publish, table, thousands

TITLE = "OCPP 1.6 MeterValues: messages a second"
NAMES = {
    "echo": "bare echo of picows (nothing read, nothing kept)",
    "peer": "central system of the PyPI package `ocpp` 2.1.0 (nothing kept)",
    "sqlite": "Chargewire on SQLite (answered when durable)",
    "postgres": "Chargewire on PostgreSQL (answered when durable)",
}
Result = dict[str, float]


def load(server: servers.Server, given: argparse.Namespace, *, bare: bool = False) -> Result:
    """Run the load in its own process."""
    command = [sys.executable, "-m", "bench.load", "--url", server.ocpp, "--pid", str(server.pid)]
    command += ["--stations", str(given.stations), "--seconds", str(given.seconds), "--warm-up", str(given.warm_up)]
    command += ["--token", places.TOKEN, "--prefix", places.PREFIX, *(["--bare"] if bare else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: Result = json.loads(done.stdout)
    return result


def measured(name: str, given: argparse.Namespace) -> Result | None:
    """One run against a fresh server; None if the machine cannot run it."""
    if name in ("echo", "peer"):
        with servers.python_server(f"bench.{name}") as server:
            return load(server, given, bare=name == "echo")
    if name == "sqlite":
        return _own(given, "")
    with servers.postgres() as url:
        return _own(given, url) if url else None


def _own(given: argparse.Namespace, database: str) -> Result:
    with servers.scratch() as folder, servers.chargewire(folder, database) as server:
        places.make_places(server.http, given.stations)
        return load(server, given) | {"hold_ms": places.longest_hold_ms(server.http)}


def rows(results: dict[str, list[Result]]) -> list[list[object]]:
    """One row per server: medians of its runs."""
    cost = {name: middle([run["per_cpu_s"] for run in runs]) for name, runs in results.items()}
    peer = cost.get("peer", 0)
    table_rows: list[list[object]] = []
    for name, runs in results.items():
        middles = {key: middle([run[key] for run in runs]) for key in runs[0]}
        table_rows.append(
            [
                NAMES[name],
                thousands(middles["per_s"]),
                thousands(cost[name]),
                f"{cost[name] / peer:.1f}" if peer else "–",
                f"{middles['p50_ms']:.1f}",
                f"{middles['p99_ms']:.1f}",
                f"{middles['hold_ms']:.0f}" if "hold_ms" in middles else "",
                f"{sum(run['refused'] + run['closed'] for run in runs):.0f}",
            ]
        )
    return table_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3, help="interleaved; the table has the medians")
    parser.add_argument("--servers", default=",".join(NAMES))
    given = parser.parse_args()
    results: dict[str, list[Result]] = {}
    for _ in range(given.runs):
        for name in given.servers.split(","):
            result = measured(name, given)
            if result is not None:
                results.setdefault(name, []).append(result)
                print(name, {key: round(value, 1) for key, value in result.items()}, file=sys.stderr, flush=True)
    header = ["server", "messages/s", "messages/CPU-s", "× `ocpp`", "p50 ms", "p99 ms", "loop held ms", "refused or dropped"]
    body = (
        f"{given.stations} stations, each with a running transaction, send MeterValues (330 bytes, three sampled values) "
        f"for {given.seconds:.0f} s, the next one when the last is answered. Server on core 0, load on core 1, "
        f"median of {given.runs} runs. "
        f"Loop held: the latest that a timer of 20 ms ever was, with all stations pressing.\n\n{table(header, rows(results))}"
    )
    publish("ocpp", TITLE, body)


if __name__ == "__main__":
    main()
