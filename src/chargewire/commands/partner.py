"""`chargewire partner`: roaming connections by OCPI handshake."""

import json
import sys
import time
from typing import Any

import click

from chargewire.commands.admin import connected, path_of, show_json
from chargewire.commands.calling import Caller


@click.group("partner", help="Roaming partners: connections made by an OCPI 2.1.1 handshake.")
def partner() -> None:
    """Commands are below."""


@partner.command("list")
@connected
def every(caller: Caller) -> None:
    """All connections, a line each."""
    for each in caller.call("GET", "partners")["data"]:
        partner_party = each.get("partner") or each.get("expected") or "?"
        click.echo(f"{each['id']}  {each['state']:<12} {each['role']:<4} {each['party']} ⇄ {partner_party}  {each['name']}")


@partner.command("show")
@click.argument("connection_id")
@connected
def show(caller: Caller, connection_id: str) -> None:
    """One connection with the steps of its last handshake."""
    found = caller.call("GET", path_of("partners", connection_id))
    steps = found.pop("steps")
    show_json(found)
    _show_steps(steps)


_ROLE = click.option("--role", type=click.Choice(["CPO", "EMSP"]), required=True, help="What we are in this connection.")
_PARTY = click.option("--party", "parties", multiple=True, required=True, help="Our party, like NL-AAA; several: a bundle.")
_NAME = click.option("--name", required=True, help="What people call it.")
_MODULE = click.option("--module", "modules", multiple=True, help="A module that the partner must have; may be repeated.")
_EXPECTED = click.option("--expect", "expected", help="The party that the partner must turn out to be.")
_BASE64 = click.option("--base64/--raw", "base64", default=False, help="How our token is written to it; raw is 2.1.1.")


@partner.command("invite")
@_NAME
@_ROLE
@_PARTY
@_MODULE
@_EXPECTED
@_BASE64
@connected
def invite(caller: Caller, name: str, role: str, parties: tuple[str, ...], base64: bool, **given: Any) -> None:
    """Make a connection, and show the token (TOKEN_A) and URL for the partner, who starts the handshake."""
    _make(caller, [_body(name, role, party, base64, given) for party in parties])


@partner.command("connect")
@_NAME
@_ROLE
@_PARTY
@_MODULE
@_EXPECTED
@_BASE64
@click.option("--versions-url", required=True, help="The partner's versions endpoint.")
@click.option("--token", "tokens", multiple=True, required=True, help="The partner's TOKEN_A; one for each --party.")
@connected
def connect(
    caller: Caller,
    name: str,
    role: str,
    parties: tuple[str, ...],
    base64: bool,
    versions_url: str,
    tokens: tuple[str, ...],
    **given: Any,
) -> None:
    """Make a connection with the partner's token and URL, and go through the handshake. Exit code 1 if it fails."""
    if len(tokens) != len(parties):
        raise click.UsageError("give one --token for each --party: a connection of 2.1.1 belongs to one party")
    more = {"versions_url": versions_url}
    bodies = [
        _body(name, role, party, base64, given) | more | {"token": token} for party, token in zip(parties, tokens, strict=True)
    ]
    _make(caller, bodies)


@partner.command("again")
@click.argument("connection_id")
@click.option("--versions-url", help="The partner's versions endpoint, if it has changed.")
@click.option("--token", help="A new TOKEN_A of the partner.")
@connected
def again(caller: Caller, connection_id: str, versions_url: str | None, token: str | None) -> None:
    """Try a handshake once more."""
    if (versions_url is None) != (token is None):
        raise click.UsageError("--versions-url and --token go together")
    body = {"versions_url": versions_url, "token": token} if token else None
    _told(*caller.answer("POST", path_of("partners", connection_id, "connect"), body))


@partner.command("reinvite")
@click.argument("connection_id")
@connected
def reinvite(caller: Caller, connection_id: str) -> None:
    """Give a new token (TOKEN_A) for the partner; the old one is dead."""
    _invited(caller.call("POST", path_of("partners", connection_id, "invite")))


@partner.command("rotate")
@click.argument("connection_id")
@connected
def rotate(caller: Caller, connection_id: str) -> None:
    """New tokens on both sides, and the partner's endpoints learnt anew (PUT credentials)."""
    _told(*caller.answer("POST", path_of("partners", connection_id, "rotate")))


@partner.command("unregister")
@click.argument("connection_id")
@click.option("--anyway", is_flag=True, help="Also if the partner cannot be told.")
@connected
def unregister(caller: Caller, connection_id: str, anyway: bool) -> None:
    """End the connection with the partner (DELETE credentials)."""
    _told(*caller.answer("POST", path_of("partners", connection_id, "unregister"), {"anyway": anyway}))


@partner.command("suspend")
@click.argument("connection_id")
@connected
def suspend(caller: Caller, connection_id: str) -> None:
    """Let the partner see and send nothing for the time being."""
    show_json(caller.call("PATCH", path_of("partners", connection_id), {"state": "suspended"}))


@partner.command("resume")
@click.argument("connection_id")
@connected
def resume(caller: Caller, connection_id: str) -> None:
    """Go on with a suspended connection."""
    show_json(caller.call("PATCH", path_of("partners", connection_id), {"state": "live"}))


@partner.command("remove")
@click.argument("connection_id")
@connected
def remove(caller: Caller, connection_id: str) -> None:
    """Forget a connection that is not connected."""
    caller.call("DELETE", path_of("partners", connection_id))


@partner.command("pull")
@click.argument("connection_id")
@click.option("--whole", is_flag=True, help="Without a filter: what is missing in the lists is gone.")
@connected
def pull(caller: Caller, connection_id: str, whole: bool) -> None:
    """Pull the partner's lists now, and show how it goes. Exit code 1 if one could not be read to its end."""
    before = {each["module"]: _result(each) for each in _pulls(caller, connection_id)}
    modules = caller.call("POST", path_of("partners", connection_id, "pull"), {"whole": whole})["modules"]
    shown = ""
    while True:
        pulls = [each for each in _pulls(caller, connection_id) if each["module"] in modules]
        running = [each["running"] for each in pulls if each["running"]]
        line = ", ".join(f"{each['module']} {each['read']} of {each.get('total') or '?'}" for each in running)
        if line and line != shown:
            click.echo(line)
            shown = line
        over = [each for each in pulls if not each["running"] and _result(each) != before.get(each["module"], (None, None))]
        if len(over) == len(modules):
            break
        time.sleep(0.3)
    for each in pulls:
        said = f"{each['read']} read, {each['changed']} changed, {each['unreadable']} unreadable, {each['gone']} gone"
        click.echo(f"{each['module']}: {each['error'] or said}")
    if any(each["error"] for each in pulls):
        sys.exit(1)


@partner.command("start")
@click.argument("connection_id")
@click.option("--token", "token_uid", required=True, help="A token of our eMSP, by its uid.")
@click.option("--location", "location_id", required=True, help="A location of the partner.")
@click.option("--evse", "evse_uid", help="One of its EVSEs; none: the partner chooses.")
@connected
def start(caller: Caller, connection_id: str, **asked: Any) -> None:
    """Start a session at a partner's station (START_SESSION), and wait for its answer."""
    _command(caller, connection_id, "START_SESSION", asked)


@partner.command("stop")
@click.argument("connection_id")
@click.option("--session", "session_id", required=True, help="The session, by the partner's id.")
@connected
def stop(caller: Caller, connection_id: str, **asked: Any) -> None:
    """Stop a session at a partner's station (STOP_SESSION), and wait for its answer."""
    _command(caller, connection_id, "STOP_SESSION", asked)


@partner.command("unlock")
@click.argument("connection_id")
@click.option("--location", "location_id", required=True, help="A location of the partner.")
@click.option("--evse", "evse_uid", required=True, help="One of its EVSEs.")
@click.option("--connector", "connector_id", required=True, help="One of its connectors, by its id.")
@connected
def unlock(caller: Caller, connection_id: str, **asked: Any) -> None:
    """Unlock a connector of a partner's station (UNLOCK_CONNECTOR), and wait for its answer."""
    _command(caller, connection_id, "UNLOCK_CONNECTOR", asked)


def _command(caller: Caller, connection_id: str, command: str, asked: dict[str, Any]) -> None:
    body = {name: value for name, value in asked.items() if value}
    sent = caller.call("POST", path_of("partners", connection_id, "commands", command), body)
    while sent.get("state", "SENT") == "SENT":
        time.sleep(0.3)
        sent = caller.call("GET", path_of("partners", connection_id, "commands", sent["id"]))
    click.echo(f"{command}: {sent['state']}" + (f" ({sent['error']})" if sent.get("error") else ""))
    if sent["state"] != "ACCEPTED":
        sys.exit(1)


def _pulls(caller: Caller, connection_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.call("GET", path_of("partners", connection_id))["pulls"]
    return found


def _result(pull: dict[str, Any]) -> tuple[str | None, str | None]:
    """When a list was last read to its end, and when that last failed."""
    return pull["ended_at"], pull["failed_at"]


def _body(name: str, role: str, party: str, base64: bool, given: dict[str, Any]) -> dict[str, Any]:
    encoding = "base64" if base64 else "raw"
    known = {key: value for key, value in given.items() if value}
    return {"name": name, "role": role, "party": party, "token_encoding": encoding, **known}


def _make(caller: Caller, bodies: list[dict[str, Any]]) -> None:
    if len(bodies) == 1:
        status, made = caller.answer("POST", "partners", bodies[0])
        if "token" in made:
            _invited(made)
        else:
            _told(status, made)
        return
    made = caller.call("POST", "partners/bundle", {"connections": bodies})
    click.echo(f"bundle {made['bundle']}")
    for each in made["data"]:
        if "token" in each:
            _invited(each)
        else:
            _show_steps(each["steps"])
            click.echo(f"{each['id']} {each['state']}")
    if any("error" in each for each in made["data"]):
        sys.exit(1)


def _invited(made: dict[str, Any]) -> None:
    click.echo(f"connection   {made['id']} ({made['party']})")
    click.echo(f"versions URL {made['versions_url']}")
    click.echo(f"token        {made['token']}  (TOKEN_A, shown this once)")


def _told(status: int, answer: dict[str, Any]) -> None:
    _show_steps(answer.get("steps", []))
    if status >= 400:
        if answer.get("id"):
            click.echo(f"connection {answer['id']}: `chargewire partner again` tries once more", err=True)
        raise click.ClickException(f"{answer.get('title', status)}: {answer.get('detail', json.dumps(answer))}")
    click.echo(f"{answer['id']} {answer['state']}" + (f" with {answer['partner']}" if answer["state"] == "connected" else ""))


def _show_steps(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        mark = click.style("✓", fg="green") if step["ok"] else click.style("✗", fg="red")
        detail = f"  {step['detail']}" if step.get("detail") else ""
        click.echo(f"{mark} {step['at'][11:19]} {step['what']}{detail}")
