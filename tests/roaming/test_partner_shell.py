"""`chargewire partner …` against two instances: what an operator reads, and the exit code."""

import asyncio

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from chargewire.cli import main
from journeys.world import ADMIN, ask
from roaming.pair import CPO, EMSP, Pair, Side
from roaming.test_handshake import partner


async def shell(side: Side, *arguments: str) -> Result:
    env = {"CHARGEWIRE_URL": side.url, "CHARGEWIRE_ADMIN_TOKEN": ADMIN}
    return await asyncio.to_thread(CliRunner().invoke, main, ["partner", *arguments], env=env)


async def told(side: Side, *arguments: str) -> str:
    """What a command says that has to succeed."""
    result = await shell(side, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def after(label: str, output: str) -> list[str]:
    """The first word behind a label, of each line that has it."""
    return [line.removeprefix(label).split()[0] for line in output.splitlines() if line.startswith(label)]


async def test_an_operator_connects_two_instances_looks_and_leaves_from_the_shell(both: Pair) -> None:
    invited = await told(both.cpo, "invite", "--name", "Some eMSP", "--role", "CPO", "--party", CPO, "--expect", EMSP)
    [cpo_id], [url], [token] = (after(label, invited) for label in ("connection", "versions URL", "token"))
    by_hand = ("--versions-url", url, "--token", token)
    connected = await told(both.emsp, "connect", "--name", "Some CPO", "--role", "EMSP", "--party", EMSP, *by_hand)
    steps, [last] = [line for line in connected.splitlines() if line[0] in "✓✗"], connected.splitlines()[-1:]
    assert [step.split(maxsplit=2)[2].split("  ")[0] for step in steps] == [
        "GET versions",
        "GET version details",
        "modules compared",
        "POST credentials",
        "credentials received",
    ]
    assert {step[0] for step in steps} == {"✓"}
    emsp_id = last.split()[0]
    assert last == f"{emsp_id} connected with {CPO}"
    assert f"{cpo_id}  connected    CPO  {CPO} ⇄ {EMSP}  Some eMSP" in await told(both.cpo, "list")
    assert "✓" in await told(both.cpo, "show", cpo_id)
    assert "✓" in await told(both.cpo, "rotate", cpo_id)
    assert '"state": "suspended"' in await told(both.cpo, "suspend", cpo_id)
    assert '"state": "connected"' in await told(both.cpo, "resume", cpo_id)
    assert (await shell(both.cpo, "remove", cpo_id)).exit_code == 1
    step, last = (await told(both.emsp, "unregister", emsp_id)).splitlines()
    assert (step[0], step.split(maxsplit=2)[2], last) == ("✓", "DELETE credentials", f"{emsp_id} unregistered")
    assert after("token", await told(both.cpo, "reinvite", cpo_id)) != [token]
    await told(both.cpo, "remove", cpo_id)
    assert await told(both.cpo, "list") == ""


async def test_a_handshake_that_fails_shows_where_and_ends_with_exit_code_1(both: Pair) -> None:
    async with partner(without="locations") as them:
        options = ("--name", "X", "--role", "CPO", "--party", CPO, "--module", "locations")
        failed = await shell(both.cpo, "connect", *options, "--versions-url", them.url, "--token", "their-token-a")
        assert failed.exit_code == 1
        assert "✗" in failed.output
        assert "the partner has no locations" in failed.output
        [connection] = (await both.cpo.admin("GET", "/partners"))["data"]
        assert f"{connection['id']}: `chargewire partner again` tries once more" in failed.output
        half = await shell(both.cpo, "again", connection["id"], "--token", "their-token-b")
        assert (half.exit_code, "go together" in half.output) == (2, True)
        them.mend()
        assert "connected with DE-XYZ" in await told(both.cpo, "again", connection["id"])


async def test_several_parties_are_a_bundle_and_each_has_a_line_for_its_token(both: Pair) -> None:
    parties = ("--party", CPO, "--party", "NL-BBB")
    invited = await told(both.cpo, "invite", "--name", "Some eMSP", "--role", "CPO", *parties)
    tokens = after("token", invited)
    assert len(set(tokens)) == 2
    for token in tokens:
        assert (await ask("GET", f"{both.cpo.url}/ocpi/cpo/versions", token)).status == 200
    url = after("versions URL", invited)[0]
    ours = ("--name", "Some CPOs", "--role", "EMSP", "--party", EMSP, "--party", EMSP)
    one = await shell(both.emsp, "connect", *ours, "--versions-url", url, "--token", tokens[0])
    assert (one.exit_code, "one --token for each --party" in one.output) == (2, True)
    with_both = ("--versions-url", url, "--token", tokens[0], "--token", tokens[1])
    connected = await told(both.emsp, "connect", *ours, *with_both)
    assert len([line for line in connected.splitlines() if line.endswith(" connected")]) == 2
    again = await shell(both.emsp, "connect", *ours, *with_both)  # both tokens are dead
    assert again.exit_code == 1


@pytest.mark.parametrize("status", [401, 404, 405])
async def test_a_partner_that_knows_us_no_more_is_left_without_its_word(both: Pair, status: int) -> None:
    async with partner() as them:
        made = await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "t"})
        them.how = {"status": status}
        assert "unregistered" in await told(both.cpo, "unregister", made["id"])


async def test_a_partner_that_cannot_be_told_is_left_only_if_that_is_said(both: Pair) -> None:
    async with partner() as them:
        made = await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "t"})
        them.how = {"status": 500}
        refused = await shell(both.cpo, "unregister", made["id"])
        assert (refused.exit_code, "was not told" in refused.output) == (1, True)
        assert (await both.cpo.partner(made["id"]))["state"] == "connected"
        assert (await ask("GET", f"{both.cpo.url}/ocpi/cpo/2.1.1/locations", them.token_b)).status == 200
        assert "unregistered" in await told(both.cpo, "unregister", made["id"], "--anyway")
        assert (await ask("GET", f"{both.cpo.url}/ocpi/cpo/2.1.1/locations", them.token_b)).status == 401


async def test_a_partner_that_has_us_as_registered_already_is_named_as_what_must_act(both: Pair) -> None:
    async with partner() as them:
        otherwise = them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method == "POST":
                them.how = {"status": 405}
            return await otherwise(request)

        them.answer = answer  # type: ignore[method-assign]
        options = ("--name", "X", "--role", "CPO", "--party", CPO, "--versions-url", them.url, "--token", "their-token-a")
        failed = await shell(both.cpo, "connect", *options)
    assert failed.exit_code == 1
    assert "it must unregister us and give a new token" in failed.output
