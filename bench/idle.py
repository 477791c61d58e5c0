"""Memory of a station that is connected and silent: PSS of the server before and after, divided by their number.

Several client processes, because one process may not have as many open files as there are stations.

    python -m bench.idle --stations 5000
"""

import argparse
import asyncio
import subprocess
import sys
import time

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench import places, servers
from bench.load import BOOT
from bench.measure import cpu_seconds, middle, pin, pss_kb, publish, table

SETTLE_S = 5
AT_ONCE = 50


class Idle(WSListener):
    """Boots, and says nothing more."""

    def __init__(self) -> None:
        self.booted = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, BOOT)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT and not self.booted.done():
            self.booted.set_result(None)


async def hold(url: str, first: int, count: int) -> None:
    """Connect the stations, say so, hold them until stdin ends."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def connect(number: int) -> Idle:
        async with gate:
            idle = Idle()
            headers = {"Sec-WebSocket-Protocol": "ocpp1.6"}
            address = f"{url}/{places.PREFIX}{number}"
            await ws_connect(
                lambda: idle, address, extra_headers=headers, read_buffer_init_size=1024, websocket_handshake_timeout=60
            )
            await asyncio.wait_for(idle.booted, 60)
            return idle

    held = await asyncio.gather(*(connect(number) for number in range(first, first + count)))
    print("held", len(held), flush=True)
    await asyncio.to_thread(sys.stdin.read)


def measured(server: servers.Server, stations: int, processes: int) -> tuple[float, float]:
    """KB per idle station, and stations connected and booted per CPU second of the server."""
    time.sleep(SETTLE_S)
    before, cpu = pss_kb(server.pid), cpu_seconds(server.pid)
    share = stations // processes
    command = [sys.executable, "-m", "bench.idle", "--hold", server.ocpp, "--stations", str(share)]
    clients = [
        subprocess.Popen(
            [*command, "--first", str(number * share)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            if not client.stdout.readline().startswith("held"):
                raise RuntimeError("stations could not connect")
        cpu = cpu_seconds(server.pid) - cpu
        time.sleep(SETTLE_S)
        return (pss_kb(server.pid) - before) / (share * processes), share * processes / cpu
    finally:
        for client in clients:
            client.communicate("")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--hold", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.hold:
        pin(1)
        uvloop.run(hold(given.hold, given.first, given.stations))
        return
    results = []
    for _ in range(given.runs):
        with servers.scratch() as folder, servers.chargewire(folder) as server:
            places.make_places(server.http, given.stations)
            results.append(measured(server, given.stations, given.processes))
    rows = [[given.stations, f"{middle([run[0] for run in results]):.1f}", f"{middle([run[1] for run in results]):.0f}"]]
    header = ["idle stations", "KB per station (PSS)", "connected and booted per CPU-s"]
    body = (
        "Stations connect, boot and then say nothing; memory of the server's process before and after, "
        f"median of {given.runs} runs. `chargewire serve` on SQLite, without TLS.\n\n{table(header, rows)}"
    )
    publish("idle", "Memory of an idle station", body)


if __name__ == "__main__":
    main()
