"""The admin API from the shell: `chargewire network|cpo|emsp|location|tariff|token|subscription|import|command|show`."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import quote, urlencode

import click

from chargewire.commands.calling import Caller

F = TypeVar("F", bound=Callable[..., Any])
MODULE = click.STRING
KINDS = click.Choice(["RFID", "OTHER"])
WHITELISTS = click.Choice(["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"])
PROFILES = click.Choice(["compatible", "extended"])
_JSON = click.File("r", encoding="utf-8")


def connected(command: F) -> F:
    """Give a command the options that say where the instance is, and a caller for it."""

    @click.option("--url", envvar="CHARGEWIRE_URL", default="http://127.0.0.1:8000", show_default=True, help="The instance.")
    @click.option("--admin-token", envvar="CHARGEWIRE_ADMIN_TOKEN", help="Its admin token; better as CHARGEWIRE_ADMIN_TOKEN.")
    @click.pass_context
    def wrapped(ctx: click.Context, /, url: str, admin_token: str | None, **options: Any) -> Any:
        if not admin_token:
            raise click.UsageError("no admin token: set CHARGEWIRE_ADMIN_TOKEN or give --admin-token")
        return ctx.invoke(command, Caller(url, admin_token), **options)

    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = [*wrapped.__click_params__, *getattr(command, "__click_params__", [])]  # type: ignore[attr-defined]
    return wrapped  # type: ignore[return-value]


def show_json(content: Any) -> None:
    """JSON for people."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _listing(name: str, what: str) -> tuple[click.Command, click.Command]:
    """The `list` and `show` commands of a resource."""

    @click.command("list", help=f"All {what}s, one JSON object a line.")
    @connected
    def every(caller: Caller) -> None:
        for each in _pages(caller, name):
            click.echo(json.dumps(each, ensure_ascii=False))

    @click.command("show", help=f"One {what}.")
    @click.argument("ids", nargs=-1, required=True, metavar="ID")
    @connected
    def one(caller: Caller, ids: tuple[str, ...]) -> None:
        show_json(caller.call("GET", path_of(name, *ids)))

    return every, one


def _pages(caller: Caller, name: str) -> Iterator[Any]:
    cursor = None
    while True:
        query = urlencode({"limit": 1000, **({"cursor": cursor} if cursor else {})})
        page = caller.call("GET", f"{name}?{query}")
        yield from page["data"]
        cursor = page.get("next")
        if not cursor:
            return


def path_of(*parts: str) -> str:
    """A path of the admin API."""
    return "/".join(quote(part, safe="") for part in parts)


def _group(name: str, resource: str, what: str, text: str) -> click.Group:
    group = click.Group(name, help=text)
    for command in _listing(resource, what):
        group.add_command(command)
    return group


network = _group("network", "networks", "network", "Networks: the customer organisations that own CPOs.")
cpo = _group("cpo", "cpos", "CPO", "CPOs: operators inside a network, written like NL-AAA.")
emsp = _group("emsp", "emsps", "eMSP", "eMSPs: who issues tokens to drivers.")
location = _group("location", "locations", "location", "Locations with their stations, EVSEs and connectors.")
tariff = _group("tariff", "tariffs", "tariff", "Tariffs of CPOs, and retail ones of eMSPs (OCPI 2.1.1).")
token = _group("token", "tokens", "token", "Tokens of drivers (OCPI 2.1.1).")
subscription = _group("subscription", "subscriptions", "subscription", "Platform subscriptions: who may see what.")


@network.command("put")
@click.argument("network_id")
@click.option("--name", required=True, help="What people call it.")
@connected
def put_network(caller: Caller, network_id: str, name: str) -> None:
    """Make or change a network."""
    show_json(caller.call("PUT", path_of("networks", network_id), {"name": name}))


@cpo.command("put")
@click.argument("party")
@click.option("--network", "network_id", required=True, help="The network that it belongs to.")
@click.option("--name", required=True, help="What people call it.")
@click.option("--currency", default="EUR", show_default=True, help="ISO 4217.")
@click.option("--time-zone", default="Europe/Amsterdam", show_default=True, help="For locations that say none.")
@click.option(
    "--publish-all-cdrs/--hold-small-cdrs", default=True, show_default=True, help="Hold: under 0.2 kWh and 2 minutes."
)
@click.option("--local-list/--no-local-list", help="Send its stations the tokens that they may accept by themselves.")
@click.option("--drop-flagged", multiple=True, metavar="FLAG", help="Drop CDRs with this flag; may be repeated.")
@connected
def put_cpo(caller: Caller, party: str, **body: Any) -> None:
    """Make a CPO, or describe it anew: what is left out gets its default."""
    show_json(caller.call("PUT", path_of("cpos", party), body))


@emsp.command("put")
@click.argument("party")
@click.option("--name", required=True, help="What people call it.")
@click.option("--network", "network_ids", multiple=True, help="A network whose CPOs accept its tokens; may be repeated.")
@click.option("--retail-tariff", "retail_tariff_id", help="What its drivers pay, unless their token says otherwise.")
@connected
def put_emsp(caller: Caller, party: str, **body: Any) -> None:
    """Make an eMSP, or describe it anew: what is left out is none."""
    show_json(caller.call("PUT", path_of("emsps", party), body))


@location.command("put")
@click.argument("location_id")
@click.argument("file", type=_JSON)
@connected
def put_location(caller: Caller, location_id: str, file: TextIO) -> None:
    """Make or change a location from a JSON FILE (- for standard input). What it leaves out becomes REMOVED."""
    show_json(caller.call("PUT", path_of("locations", location_id), _read(file)))


@tariff.command("put")
@click.argument("party")
@click.argument("tariff_id")
@click.argument("file", type=_JSON)
@connected
def put_tariff(caller: Caller, party: str, tariff_id: str, file: TextIO) -> None:
    """Make or change a tariff of a CPO, or a retail one of an eMSP, from a JSON FILE (- for standard input)."""
    show_json(caller.call("PUT", path_of("tariffs", party, tariff_id), _read(file)))


@tariff.command("delete")
@click.argument("party")
@click.argument("tariff_id")
@connected
def delete_tariff(caller: Caller, party: str, tariff_id: str) -> None:
    """Delete a tariff with all its versions, at partners too. Sessions keep the one that they began with."""
    caller.call("DELETE", path_of("tariffs", party, tariff_id))


@token.command("put")
@click.argument("uid")
@click.option("--auth-id", required=True, help="Contract, e.g. NL-EMS-C12345678-X; names the eMSP unless --emsp does.")
@click.option("--emsp", "party", help="The eMSP, like NL-EMS.")
@click.option("--type", "kind", type=KINDS, default="RFID", show_default=True, help="Other: an app's, not a card's.")
@click.option("--whitelist", type=WHITELISTS, default="ALLOWED", show_default=True, help="Whether its eMSP is asked.")
@click.option("--valid/--blocked", default=True, show_default=True, help="Whether it is good at all.")
@click.option("--visual-number", help="As printed on the card.")
@click.option("--customer", "customer_id", help="The customer that it belongs to.")
@click.option("--group", "group_id", help="Tokens of a group stop each other's sessions.")
@click.option("--expires", "expires_at", help="From when on it is no good, like 2026-11-24T06:00:00Z.")
@click.option("--retail-tariff", "retail_tariff_id", help="What its driver pays; none: that of the eMSP.")
@connected
def put_token(caller: Caller, uid: str, party: str | None, kind: str, **body: Any) -> None:
    """Make a token, or describe it anew: what is left out is none, or its default."""
    path = path_of("tokens", party, uid) if party else path_of("tokens", uid)
    given = {name: value for name, value in body.items() if value is not None}
    show_json(caller.call("PUT", path, {**given, "type": kind}))


@subscription.command("create")
@click.option("--name", help="What people call it.")
@click.option("--network", "network_id", help="The network whose data it may see.")
@click.option("--cpo", "cpos", multiple=True, help="A CPO in scope; may be repeated; none: all of the network.")
@click.option("--module", "modules", multiple=True, help="MODULE=pull or MODULE=pull,push; may be repeated.")
@click.option(
    "--endpoint", "endpoints", multiple=True, nargs=3, metavar="MODULE URL TOKEN", help="Where a module is pushed to."
)
@click.option("--profile", type=PROFILES, default="compatible", show_default=True, help="Extended: with what is better.")
@click.option("--file", type=_JSON, help="Take all of it from a JSON file (- for standard input).")
@connected
def create_subscription(
    caller: Caller,
    name: str | None,
    network_id: str | None,
    cpos: tuple[str, ...],
    modules: tuple[str, ...],
    endpoints: tuple[tuple[str, str, str], ...],
    profile: str,
    file: TextIO | None,
) -> None:
    """Make a subscription. Its token is shown this once."""
    if file is not None:
        show_json(caller.call("POST", "subscriptions", _read(file)))
        return
    if not name or not network_id or not modules:
        raise click.UsageError("give --name, --network and at least one --module, or a --file")
    granted = {module: (directions or "pull").split(",") for module, _, directions in (each.partition("=") for each in modules)}
    body = {
        "name": name,
        "network_id": network_id,
        "grants": [{"cpos": list(cpos) or "all", "modules": granted}],
        "endpoints": {module: {"url": url, "token": said} for module, url, said in endpoints},
        "profile": profile,
    }
    show_json(caller.call("POST", "subscriptions", body))


@subscription.command("change")
@click.argument("subscription_id")
@click.argument("file", type=_JSON)
@connected
def change_subscription(caller: Caller, subscription_id: str, file: TextIO) -> None:
    """Change what a JSON FILE says (- for standard input); what it leaves out stays."""
    show_json(caller.call("PATCH", path_of("subscriptions", subscription_id), _read(file)))


@subscription.command("rotate")
@click.argument("subscription_id")
@click.option("--overlap", "overlap_s", type=int, default=86400, show_default=True, help="Seconds the old tokens stay good.")
@connected
def rotate_subscription(caller: Caller, subscription_id: str, overlap_s: int) -> None:
    """Give a new token, shown this once."""
    show_json(caller.call("POST", path_of("subscriptions", subscription_id, "rotate"), {"overlap_s": overlap_s}))


@subscription.command("end")
@click.argument("subscription_id")
@connected
def end_subscription(caller: Caller, subscription_id: str) -> None:
    """End a subscription: its tokens are void at once."""
    caller.call("DELETE", path_of("subscriptions", subscription_id))


ORDER = ("networks", "cpos", "emsps", "tariffs", "locations", "tokens")


@click.command("import")
@click.argument("file", type=_JSON)
@connected
def import_(caller: Caller, file: TextIO) -> None:
    """Write everything of a JSON FILE: {"networks": {"demo": {…}}, "cpos": {"NL-AAA": {…}}, "tariffs": {"NL-AAA/T1": {…}}, …}.

    May be repeated: what is there already is changed to what the file says. Networks come first, then CPOs, eMSPs, tariffs,
    locations and tokens; what does not fit is told, and the rest goes on.
    """
    given = _read(file)
    unknown = set(given) - set(ORDER)
    if unknown:
        raise click.UsageError(f"the file may hold {', '.join(ORDER)}, not {', '.join(sorted(unknown))}")
    wrote, failed = 0, 0
    for name in ORDER:
        for key, body in given.get(name, {}).items():
            try:
                caller.call("PUT", path_of(name, *key.split("/")), body)
                wrote += 1
            except click.ClickException as error:
                failed += 1
                click.echo(f"{name}/{key}: {error.message}", err=True)
    click.echo(f"{wrote} written, {failed} refused")
    if failed:
        sys.exit(1)


@click.command("command")
@click.argument("station_id")
@click.argument("kind", metavar="COMMAND")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]…")
@click.option("--wait", "wait_s", type=int, default=30, show_default=True, help="Seconds to wait for the answer.")
@connected
def command(caller: Caller, station_id: str, kind: str, arguments: tuple[str, ...], wait_s: int) -> None:
    """Tell a station to do something and wait for its answer.

    COMMAND: StartCharging token_uid=… connector_number=1, StopCharging transaction_id=…, Restart hard=true,
    Unlock connector_number=1, SetAvailability operative=false, ReadConfiguration, WriteConfiguration key=… value=…,
    ForgetTokens, GetLocalListVersion, Trigger message=StatusNotification, TransferData vendor_id=…
    """
    body = {"type": kind} | {name: _value(name, text) for name, _, text in (each.partition("=") for each in arguments)}
    order = caller.call("POST", f"{path_of('stations', station_id, 'commands')}?timeout_s={max(1, wait_s)}", body)
    until = time.monotonic() + wait_s
    while order["state"] in ("PENDING", "SENT") and time.monotonic() < until:
        time.sleep(0.2)
        order = caller.call("GET", path_of("commands", order["id"]))
    show_json({"state": "PENDING", **order})
    if order["state"] != "ANSWERED":
        sys.exit(1)


@click.command("show")
@click.argument("what", type=click.Choice(["stations", "parked", "deliveries"]))
@connected
def show(caller: Caller, what: str) -> None:
    """What is live: the stations, those that knocked and nobody knows, or how far each endpoint has been told."""
    for each in _pages(caller, what):
        click.echo(json.dumps(each, ensure_ascii=False))


def _read(file: TextIO) -> Any:
    try:
        return json.load(file)
    except ValueError as error:
        raise click.ClickException(f"{Path(file.name).name}: not JSON: {error}") from error


def _value(name: str, text: str) -> Any:
    """`true`, numbers of connectors and lists as such; everything else is text."""
    if name in ("hard", "operative"):
        return text.lower() in ("true", "yes", "1")
    if name == "connector_number" and text.isdigit():
        return int(text)
    return text.split(",") if name == "keys" else text


COMMANDS: list[click.Command] = [network, cpo, emsp, location, tariff, token, subscription, import_, command, show]
