"""Who sees what."""

from hypothesis import given
from hypothesis import strategies as st

from chargewire.sharing.scope import scope_of
from chargewire.sharing.subscription import Cpo, Emsp, Grant, Subscription

CPOS = [
    Cpo(party="NL-AAA", network_id="demo", name="A"),
    Cpo(party="NL-BBB", network_id="demo", name="B"),
    Cpo(party="NL-XXX", network_id="other", name="X"),
]
EMSPS = [
    Emsp(party="NL-EMS", name="E", network_ids=("demo", "other")),
    Emsp(party="NL-OTH", name="O", network_ids=("other",)),
]


def subscription(*grants: Grant, **more: str) -> Subscription:
    return Subscription(id="s", name="s", network_id="demo", grants=grants, **more)  # type: ignore[arg-type]


def test_all_cpos_are_those_of_the_network_now_and_later() -> None:
    given_all = subscription(Grant(cpos=("*",), modules={"cdrs": ("pull",)}))
    assert scope_of(given_all, CPOS, EMSPS).owners("cdrs", "pull") == {"NL-AAA", "NL-BBB"}
    later = [*CPOS, Cpo(party="NL-CCC", network_id="demo", name="C")]
    assert scope_of(given_all, later, EMSPS).owners("cdrs", "pull") == {"NL-AAA", "NL-BBB", "NL-CCC"}


def test_a_party_of_another_network_is_never_in_scope_whatever_the_grant_says() -> None:
    scope = scope_of(subscription(Grant(cpos=("NL-XXX",), emsps=("NL-OTH",), modules={"cdrs": ("pull",)})), CPOS, EMSPS)
    assert not scope.owners("cdrs", "pull")
    assert not scope.issuers("cdrs", "pull")
    assert not scope.sees("cdrs", "pull", "NL-XXX", "NL-OTH")


def test_a_module_that_is_granted_counts_as_granted_while_nobody_is_in_scope() -> None:
    scope = scope_of(subscription(Grant(cpos=("*",), modules={"cdrs": ("pull",)})), (), ())
    assert scope.granted("cdrs", "pull")
    assert not scope.granted("cdrs", "push")
    assert not scope.granted("sessions", "pull")


def test_a_suspended_subscription_sees_nothing() -> None:
    scope = scope_of(subscription(Grant(cpos=("*",), modules={"cdrs": ("pull",)}), state="suspended"), CPOS, EMSPS)
    assert not scope.granted("cdrs", "pull")


def test_an_emsp_sees_what_its_drivers_did_at_other_owners() -> None:
    scope = scope_of(subscription(Grant(emsps=("NL-EMS",), modules={"cdrs": ("pull",)})), CPOS, EMSPS)
    assert scope.sees("cdrs", "pull", "NL-XXX", "NL-EMS")
    assert not scope.sees("cdrs", "pull", "NL-XXX", "NL-OTH")
    assert not scope.sees("cdrs", "pull", "NL-AAA")


PARTIES = st.lists(st.sampled_from(["NL-AAA", "NL-BBB", "NL-XXX", "*", "NL-ZZZ"]), max_size=3).map(tuple)
MODULES = st.dictionaries(
    st.sampled_from(["cdrs", "sessions"]), st.lists(st.sampled_from(["pull", "push"]), max_size=2).map(tuple)
)


@given(st.lists(st.builds(Grant, modules=MODULES, cpos=PARTIES), max_size=4))
def test_nothing_is_in_scope_that_no_grant_names(grants: list[Grant]) -> None:
    scope = scope_of(subscription(*grants), CPOS, EMSPS)
    for module in ("cdrs", "sessions"):
        for direction in ("pull", "push"):
            named = {
                party
                for grant in grants
                if direction in grant.modules.get(module, ())
                for party in (("NL-AAA", "NL-BBB") if "*" in grant.cpos else grant.cpos)
            }
            assert scope.owners(module, direction) == named & {"NL-AAA", "NL-BBB"}
