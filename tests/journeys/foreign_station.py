"""A charge station made with the PyPI package `ocpp`: not a line of our own protocol code."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, RegistrationStatus


class ForeignStation(ChargePoint):
    """Boots, authorises, charges and stops as told; accepts every remote command and remembers it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.list_version = 0
        self.list_answers: list[str] = []

    async def boot(self) -> None:
        answer = await self.call(
            call.BootNotification(charge_point_model="Foreign", charge_point_vendor="Elsewhere"), suppress=False
        )
        assert answer.status == RegistrationStatus.accepted, answer

    async def status(self, status: str, connector: int = 1, error: str = "NoError") -> None:
        await self.call(
            call.StatusNotification(connector_id=connector, error_code=error, status=status, timestamp=moment()), suppress=False
        )

    async def start_session(self, uid: str, register_wh: int, at: datetime | None = None, connector: int = 1) -> Any:
        return await self.call(
            call.StartTransaction(connector_id=connector, id_tag=uid, meter_start=register_wh, timestamp=moment(at)),
            suppress=False,
        )

    async def meter(self, transaction_id: int | None, register_wh: int, at: datetime | None = None, connector: int = 1) -> None:
        value = [
            {
                "timestamp": moment(at),
                "sampled_value": [
                    {"value": str(register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
                    {"value": "11000", "measurand": "Power.Active.Import", "unit": "W"},
                    {"value": "16.0", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
                ],
            }
        ]
        await self.call(
            call.MeterValues(connector_id=connector, meter_value=value, transaction_id=transaction_id), suppress=False
        )

    async def stop_session(
        self, transaction_id: int, register_wh: int, at: datetime | None = None, uid: str | None = None
    ) -> Any:
        return await self.call(
            call.StopTransaction(
                meter_stop=register_wh, timestamp=moment(at), transaction_id=transaction_id, reason="Local", id_tag=uid
            ),
            suppress=False,
        )

    @on(Action.remote_start_transaction)
    async def _on_start(self, **payload: Any) -> Any:
        self.told.append(("RemoteStartTransaction", payload))
        return call_result.RemoteStartTransaction(status="Accepted")

    @on(Action.remote_stop_transaction)
    async def _on_stop(self, **payload: Any) -> Any:
        self.told.append(("RemoteStopTransaction", payload))
        return call_result.RemoteStopTransaction(status="Accepted")

    @on(Action.reset)
    async def _on_reset(self, **payload: Any) -> Any:
        self.told.append(("Reset", payload))
        return call_result.Reset(status="Accepted")

    @on(Action.unlock_connector)
    async def _on_unlock(self, **payload: Any) -> Any:
        self.told.append(("UnlockConnector", payload))
        return call_result.UnlockConnector(status="Unlocked")

    @on(Action.change_availability)
    async def _on_availability(self, **payload: Any) -> Any:
        self.told.append(("ChangeAvailability", payload))
        return call_result.ChangeAvailability(status="Accepted")

    @on(Action.get_configuration)
    async def _on_get_configuration(self, **payload: Any) -> Any:
        self.told.append(("GetConfiguration", payload))
        known = [{"key": "HeartbeatInterval", "readonly": False, "value": "60"}]
        return call_result.GetConfiguration(configuration_key=known, unknown_key=["Nonsense"])

    @on(Action.change_configuration)
    async def _on_change_configuration(self, **payload: Any) -> Any:
        self.told.append(("ChangeConfiguration", payload))
        return call_result.ChangeConfiguration(status="RebootRequired")

    @on(Action.get_local_list_version)
    async def _on_list_version(self, **payload: Any) -> Any:
        self.told.append(("GetLocalListVersion", payload))
        return call_result.GetLocalListVersion(list_version=self.list_version)

    @on(Action.send_local_list)
    async def _on_list(self, **payload: Any) -> Any:
        self.told.append(("SendLocalList", payload))
        status = self.list_answers.pop(0) if self.list_answers else "Accepted"
        if status == "Accepted":
            self.list_version = payload["list_version"]
        return call_result.SendLocalList(status=status)

    @on(Action.clear_cache)
    async def _on_clear_cache(self, **payload: Any) -> Any:
        self.told.append(("ClearCache", payload))
        return call_result.ClearCache(status="Accepted")

    @on(Action.trigger_message)
    async def _on_trigger(self, **payload: Any) -> Any:
        self.told.append(("TriggerMessage", payload))
        return call_result.TriggerMessage(status="NotImplemented")

    @on(Action.data_transfer)
    async def _on_data(self, **payload: Any) -> Any:
        self.told.append(("DataTransfer", payload))
        return call_result.DataTransfer(status="UnknownVendorId")


def moment(at: datetime | None = None) -> str:
    """A time as a station writes it."""
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@asynccontextmanager
async def foreign_station(
    ocpp_url: str, station_id: str, make: type[ForeignStation] = ForeignStation
) -> AsyncIterator[ForeignStation]:
    """Connected, not yet booted."""
    async with websockets.connect(f"{ocpp_url}/{station_id}", subprotocols=["ocpp1.6"]) as socket:  # type: ignore[list-item]
        station = make(station_id, socket)
        listening = asyncio.create_task(station.start())
        try:
            yield station
        finally:
            listening.cancel()
