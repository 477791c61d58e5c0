"""`chargewire cdr`: what became of each session's price, why, and how it is corrected."""

import json
from typing import Any
from urllib.parse import urlencode

import click

from chargewire.commands.admin import connected, path_of, show_json
from chargewire.commands.calling import Caller

STATES = ("published", "credit", "held", "dropped", "waiting")
PRICES = click.Choice(["wholesale", "retail", "reimbursement"])
PRICE = click.option("--price", type=PRICES, default="wholesale", show_default=True, help="Who pays whom.")


@click.group("cdr", help="CDRs: listed by what became of them, explained, corrected.")
def cdr() -> None:
    """Commands are below."""


@cdr.command("list")
@click.option("--state", type=click.Choice(STATES), default="published", show_default=True, help="What became of them.")
@click.option("--flag", help="Only those that carry this flag.")
@click.option("--cpo", help="Only those of this CPO.")
@connected
def every(caller: Caller, **asked: str | None) -> None:
    """CDRs in one state, one JSON object a line."""
    cursor = None
    while True:
        query = urlencode({name: value for name, value in {**asked, "cursor": cursor, "limit": 1000}.items() if value})
        page = caller.call("GET", f"cdrs?{query}")
        for each in page["data"]:
            click.echo(json.dumps(each, ensure_ascii=False))
        cursor = page["next"]
        if not cursor:
            return


@cdr.command("show")
@click.argument("cdr_id")
@connected
def show(caller: Caller, cdr_id: str) -> None:
    """One CDR as it is kept."""
    show_json(caller.call("GET", path_of("cdrs", cdr_id)))


@cdr.command("explain")
@click.argument("cdr_id")
@PRICE
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every part and reading.")
@click.option("--svg", type=click.File("w", encoding="utf-8"), help="Write the picture to this file, too.")
@connected
def explain(caller: Caller, cdr_id: str, price: str, as_json: bool, svg: Any) -> None:
    """Why a CDR costs what it costs: which element priced which minutes and kWh, and the readings that it rests on."""
    path = path_of("cdrs", cdr_id, "explain")
    if as_json:
        show_json(caller.call("GET", f"{path}?price={price}"))
    else:
        click.echo(caller.text(f"{path}.txt?price={price}"), nl=False)
    if svg is not None:
        svg.write(caller.text(f"{path}.svg?price={price}"))


@cdr.command("credit")
@click.argument("cdr_id")
@click.option("--reason", required=True, help="Why it is taken back.")
@connected
def credit(caller: Caller, cdr_id: str, reason: str) -> None:
    """Take a CDR back; it stays as it is, a credit stands beside it."""
    show_json(caller.call("POST", path_of("cdrs", cdr_id, "credit"), {"reason": reason}))


@cdr.command("correct")
@click.argument("cdr_id")
@click.option("--reason", required=True, help="What was wrong.")
@click.option("--energy-wh", type=int, help="The energy that it should have been, in Wh.")
@click.option("--start", help="A later start, like 2026-11-24T06:00:00Z.")
@click.option("--stop", help="An earlier stop.")
@click.option("--tariff", "tariff_id", help="The tariff of the CPO that it should have been priced by.")
@connected
def correct(caller: Caller, cdr_id: str, **given: Any) -> None:
    """Take a CDR back and put another in its place."""
    body = {name: value for name, value in given.items() if value is not None}
    show_json(caller.call("POST", path_of("cdrs", cdr_id, "correct"), body))


@cdr.command("publish")
@click.argument("cdr_id")
@connected
def publish(caller: Caller, cdr_id: str) -> None:
    """Publish a CDR that was held back or dropped."""
    show_json(caller.call("POST", path_of("cdrs", cdr_id, "publish")))


@cdr.command("retry")
@click.argument("session_id")
@connected
def retry(caller: Caller, session_id: str) -> None:
    """Try at once to price a session that waits."""
    show_json(caller.call("POST", path_of("waiting", session_id, "retry")))
