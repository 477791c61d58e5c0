"""What a virtual station does when the CSMS asks (OCPP 1.6 §5): the answer, and the work that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from chargewire.charging import commands as ours
from chargewire.charging.commands import Answer
from chargewire.charging.facts import Beat, Booted
from chargewire.protocols.ocpp.v16.commands import RemoteStartTransaction
from chargewire.protocols.ocpp.v16.profiles import (
    ChargingProfile,
    ClearChargingProfile,
    CompositeSchedule,
    GetCompositeSchedule,
    SetChargingProfile,
)
from chargewire.protocols.ocpp.v16.station import Asked
from chargewire.simulator.link import NoAnswer, Offline, Refused
from chargewire.simulator.profiles import Limit, Running, composite

if TYPE_CHECKING:
    from chargewire.simulator.plug import Plug
    from chargewire.simulator.station import Station

Work = Coroutine[Any, Any, None]
Obeyed = tuple[Answer, Work | None]

ACCEPTED = Answer(status="Accepted")
REJECTED = Answer(status="Rejected")


def obey(station: Station, asked: Asked) -> Obeyed:
    """Answer what is asked; the work, if any, is to be done once the answer is sent."""
    return _HOW[type(asked)](station, asked)


def _start(station: Station, asked: ours.StartCharging) -> Obeyed:
    return _remote_start(station, asked.token_uid, asked.connector_number, None)


def _start_with_profile(station: Station, asked: RemoteStartTransaction) -> Obeyed:
    profile = asked.charging_profile
    if profile is not None and profile.charging_profile_purpose != "TxProfile":
        return REJECTED, None  # §5.16.2
    return _remote_start(station, asked.id_tag, asked.connector_id, profile)


def _remote_start(station: Station, token_uid: str, number: int | None, profile: ChargingProfile | None) -> Obeyed:
    plug = _free_plug(station, number)
    if plug is None or not station.ready.is_set():  # not while Pending (§4.2)
        return REJECTED, None
    return ACCEPTED, _begin(station, plug.number, token_uid, profile)


async def _begin(station: Station, number: int, token_uid: str, profile: ChargingProfile | None) -> None:
    if station.configuration.flag("AuthorizeRemoteTxRequests") and not await station.authorize(token_uid):
        return
    plug = station.charger.plugs[number]
    if not plug.free:
        return
    station.begin(number, token_uid)
    if plug.car is None and station.on_remote_start:
        station.on_remote_start(number)
    if profile:
        station.charger.profiles.install(number, profile, _promised(station, number))


def _promised(station: Station, number: int) -> Running:
    """The transaction that a remote start asked for: running, or about to."""
    return station.charger.running(number) or Running(station.charger.clock())


def _stop(station: Station, asked: ours.StopCharging) -> Obeyed:
    for plug in station.charger.plugs.values():
        if plug.transaction and station.outbox.id_of(plug.transaction.name) == asked.transaction_id:
            return ACCEPTED, _end(station, plug.number, "Remote")
    return REJECTED, None


async def _end(station: Station, number: int, reason: str) -> None:
    station.charger.stop(number, reason)


def _restart(station: Station, asked: ours.Restart) -> Obeyed:
    return ACCEPTED, station.reset(asked.hard)


def _unlock(station: Station, asked: ours.Unlock) -> Obeyed:
    if asked.connector_number not in station.charger.plugs:
        return Answer(status="NotSupported"), None  # §5.18: the word for a connector that does not exist
    return Answer(status="Unlocked"), _end(station, asked.connector_number, "UnlockCommand")


def _availability(station: Station, asked: ours.SetAvailability) -> Obeyed:
    """A connector with a transaction changes when it is over (§5.2)."""
    plugs = station.charger.plugs
    if asked.connector_number and asked.connector_number not in plugs:
        return REJECTED, None
    chosen = [plugs[asked.connector_number]] if asked.connector_number else list(plugs.values())
    busy = [plug for plug in chosen if plug.transaction and plug.operative != asked.operative]
    for plug in busy:
        plug.operative_later = asked.operative
    idle = [plug for plug in chosen if plug not in busy]
    return Answer(status="Scheduled") if busy else ACCEPTED, _set_available(station, idle, asked.operative)


async def _set_available(station: Station, plugs: list[Plug], operative: bool) -> None:
    for plug in plugs:
        plug.operative, plug.operative_later = operative, None
        station.charger.show(plug)


def _read(station: Station, asked: ours.ReadConfiguration) -> Obeyed:
    rows, unknown = station.configuration.shown(asked.keys)
    return Answer(status="", details={"configurationKey": rows} | ({"unknownKey": unknown} if unknown else {})), None


def _write(station: Station, asked: ours.WriteConfiguration) -> Obeyed:
    return Answer(status=station.configuration.write(asked.key, asked.value)), None


def _forget(station: Station, _: ours.ForgetTokens) -> Obeyed:
    station.known_tokens.forget()
    return ACCEPTED, None


def _list_version(station: Station, _: ours.GetLocalListVersion) -> Obeyed:
    return Answer(status="", details={"listVersion": station.known_tokens.told_version()}), None


def _take_list(station: Station, asked: ours.SendLocalList) -> Obeyed:
    return Answer(status=station.known_tokens.take(asked)), None


def _trigger(station: Station, asked: ours.Trigger) -> Obeyed:
    number = asked.connector_number
    if number and number not in station.charger.plugs:
        return REJECTED, None
    plugs = [station.charger.plugs[number]] if number else list(station.charger.plugs.values())
    return ACCEPTED, _triggered(station, asked.message, plugs)


async def _triggered(station: Station, message: str, plugs: list[Plug]) -> None:
    try:
        match message:
            case "BootNotification":
                await station.tell(Booted(station.plan.boot))
            case "Heartbeat":
                await station.tell(Beat())
            case "StatusNotification":
                for plug in plugs:
                    station.charger.show(plug, again=True)
            case "MeterValues":
                for plug in plugs:
                    station.charger.sample(plug, "Trigger")
            case other:  # firmware and diagnostics: nothing of the kind goes on here
                await station.link.ask(other, b'{"status":"Idle"}')
    except (Offline, NoAnswer, Refused) as error:
        station.say(f"not told: {message} ({error})")


def _transfer(_: Station, asked: ours.TransferData) -> Obeyed:
    return Answer(status="UnknownVendorId"), None


def _set_profile(station: Station, asked: SetChargingProfile) -> Obeyed:
    number, profile = asked.connector_id, asked.cs_charging_profiles
    if number and number not in station.charger.plugs:
        return REJECTED, None
    taken = station.charger.profiles.install(number, profile, station.charger.running(number))
    return (ACCEPTED, _settle(station)) if taken else (REJECTED, None)


def _clear_profiles(station: Station, asked: ClearChargingProfile) -> Obeyed:
    cleared = station.charger.profiles.clear(asked)
    return (ACCEPTED, _settle(station)) if cleared else (Answer(status="Unknown"), None)


async def _settle(station: Station) -> None:
    """Let the new limits act at once."""
    await asyncio.sleep(0)
    station.charger.step(0.0)


def _composite(station: Station, asked: GetCompositeSchedule) -> Obeyed:
    number = asked.connector_id
    plug = station.charger.plugs.get(number or 1)
    if plug is None:
        return REJECTED, None
    begin = station.charger.clock()
    schedule = composite(
        station.charger.profiles,
        number,
        begin,
        asked.duration,
        asked.charging_rate_unit or "A",
        station.charger.running(number),
        Limit(round(plug.outlet.max_a, 1), "A"),
    )
    told = CompositeSchedule(status="Accepted", connector_id=number, schedule_start=begin, charging_schedule=schedule)
    details = msgspec.to_builtins(told)
    return Answer(status=details.pop("status"), details=details), None


_HOW: Mapping[type, Callable[[Any, Any], Obeyed]] = {
    ClearChargingProfile: _clear_profiles,
    GetCompositeSchedule: _composite,
    RemoteStartTransaction: _start_with_profile,
    SetChargingProfile: _set_profile,
    ours.ForgetTokens: _forget,
    ours.GetLocalListVersion: _list_version,
    ours.ReadConfiguration: _read,
    ours.Restart: _restart,
    ours.SendLocalList: _take_list,
    ours.SetAvailability: _availability,
    ours.StartCharging: _start,
    ours.StopCharging: _stop,
    ours.TransferData: _transfer,
    ours.Trigger: _trigger,
    ours.Unlock: _unlock,
    ours.WriteConfiguration: _write,
}


def _free_plug(station: Station, number: int | None) -> Plug | None:
    plugs = station.charger.plugs.values()
    chosen = [plug for plug in plugs if plug.free and plug.awaited is None and number in (None, plug.number)]
    return max(chosen, key=lambda plug: plug.car is not None, default=None)  # where a car waits already
