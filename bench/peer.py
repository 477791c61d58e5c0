"""A central system made from the PyPI package `ocpp` the way its documentation shows: routes on `websockets`, kept in memory.

It stores nothing, so it does less than a CSMS must: it is the yardstick for the cost of a message, not for durability.

python -m bench.peer --core 0
"""

import argparse
import asyncio
import itertools
import logging
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve

from bench.measure import pin

_transactions = itertools.count(1)


class CentralSystem(ChargePoint):  # type: ignore[misc]
    @on(Action.boot_notification)  # type: ignore[untyped-decorator]
    def on_boot(self, **_boot: Any) -> call_result.BootNotification:
        return call_result.BootNotification(
            current_time=datetime.now(UTC).isoformat(), interval=300, status=RegistrationStatus.accepted
        )

    @on(Action.status_notification)  # type: ignore[untyped-decorator]
    def on_status(self, **_status: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on(Action.start_transaction)  # type: ignore[untyped-decorator]
    def on_start(self, **_start: Any) -> call_result.StartTransaction:
        return call_result.StartTransaction(
            transaction_id=next(_transactions), id_tag_info={"status": AuthorizationStatus.accepted}
        )

    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    def on_meter_values(self, **_values: Any) -> call_result.MeterValues:
        return call_result.MeterValues()


async def welcome(connection: ServerConnection) -> None:
    request = connection.request
    if request is not None:
        await CentralSystem(request.path.rpartition("/")[2], connection).start()


async def main() -> None:
    async with serve(welcome, "127.0.0.1", 0, subprotocols=["ocpp1.6"], backlog=4096) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"listening ws://127.0.0.1:{port}/ocpp", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int, default=0)
    pin(parser.parse_args().core)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # connections that end with the measurement
    asyncio.run(main())
