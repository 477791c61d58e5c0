"""What an EVSE is doing, from what its connectors, its station and its transactions say."""

from collections.abc import Iterable

from chargewire.charging.location import ConnectorState, Status

RANK = {status: rank for rank, status in enumerate(Status)}
OVERRIDING = (Status.FAULTED, Status.UNAVAILABLE)


def evse_status(
    connectors: Iterable[ConnectorState],
    station: ConnectorState | None,
    *,
    charging: bool,
    online: bool,
) -> Status:
    """The one status of an EVSE.

    `connectors`: the last report of each of its connectors that made one; `station`: that of connector 0, if any;
    `charging`: a transaction runs on one of them; `online`: heard of within three heartbeat intervals.

    In this order:

    - A silent station is UNKNOWN, also during a transaction: the rule that a transaction means CHARGING settles what to
      make of a connector's word, and here is none. (Else a station that dies while charging would look busy for ever.)
    - A running transaction means CHARGING whatever the connector says: stations report Available with a cable in, or
      SuspendedEV while energy flows.
    - Station-level Faulted and Unavailable override the connectors (OCPP 1.6 does not link connector 0 to the others, but
      nobody can charge there). Other station-level statuses say nothing about a plug.
    - The highest rank of its connectors, in the order in which `Status` lists them; UNKNOWN if none ever reported.

    REMOVED is administrative: it is never a result, and ignored if a connector should carry it.
    """
    if not online:
        return Status.UNKNOWN
    if charging:
        return Status.CHARGING
    if station is not None and station.status in OVERRIDING:
        return station.status
    reported = (state.status for state in connectors if state.status is not Status.REMOVED)
    return max(reported, key=RANK.__getitem__, default=Status.UNKNOWN)
