"""One neutral status per EVSE."""

from chargewire.charging.location import ConnectorState, Status
from chargewire.charging.status import evse_status
from charging.sessions import NOON


def states(*statuses: Status) -> list[ConnectorState]:
    return [ConnectorState(status, NOON) for status in statuses]


def test_an_evse_has_the_highest_rank_of_its_connectors() -> None:
    connectors = states(Status.UNAVAILABLE, Status.PREPARING, Status.AVAILABLE)
    assert evse_status(connectors, None, charging=False, online=True) is Status.PREPARING


def test_one_faulted_connector_leaves_the_other_available() -> None:
    assert evse_status(states(Status.FAULTED, Status.AVAILABLE), None, charging=False, online=True) is Status.AVAILABLE


def test_an_evse_that_never_reported_is_unknown() -> None:
    assert evse_status([], None, charging=False, online=True) is Status.UNKNOWN


def test_a_running_transaction_means_charging_whatever_the_connector_says() -> None:
    for status in (Status.AVAILABLE, Status.SUSPENDED_EV, Status.FAULTED):
        assert evse_status(states(status), None, charging=True, online=True) is Status.CHARGING


def test_a_station_that_is_out_of_order_takes_its_connectors_with_it() -> None:
    for status in (Status.FAULTED, Status.UNAVAILABLE):
        assert evse_status(states(Status.AVAILABLE), ConnectorState(status, NOON), charging=False, online=True) is status


def test_a_station_that_is_available_says_nothing_about_its_connectors() -> None:
    station = ConnectorState(Status.AVAILABLE, NOON)
    assert evse_status(states(Status.FAULTED), station, charging=False, online=True) is Status.FAULTED
    assert evse_status([], station, charging=False, online=True) is Status.UNKNOWN


def test_a_silent_station_is_unknown_even_while_a_transaction_is_open() -> None:
    assert evse_status(states(Status.CHARGING), None, charging=True, online=False) is Status.UNKNOWN


def test_removed_never_comes_from_a_station() -> None:
    assert evse_status(states(Status.REMOVED, Status.AVAILABLE), None, charging=False, online=True) is Status.AVAILABLE
