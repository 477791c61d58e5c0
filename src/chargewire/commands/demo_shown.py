"""What the demo prints before it goes live: every URL and token, and calls that work."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import Struct

from chargewire.commands.calling import Caller
from chargewire.commands.demo_world import CARDS, HISTORY

SPEED_AC = 30
SINCE = "date_from=$(date -u -d '-40 days' +%Y-%m-%dT00:00:00Z)"


class Environment(Struct, frozen=True, kw_only=True):
    """One running `chargewire serve`."""

    name: str
    url: str
    ocpp_url: str
    admin_token: str

    @property
    def admin(self) -> Caller:
        return Caller(self.url, self.admin_token)


class Customer(Struct, frozen=True):
    """A subscription as it is shown. `name` is also the folder at the receiver."""

    name: str
    about: str
    url: str
    token: str


def show(
    acceptance: Environment, production: Environment, customers: Sequence[Customer], receiver_url: str, logs: Path
) -> None:
    """Print it all."""
    for each in (acceptance, production):
        _head(each.name)
        click.echo(f"  status page        {each.url}/")
        click.echo(f"  API reference      {each.url}/docs")
        click.echo(f"  stations           {each.ocpp_url}")
        click.echo(f"  admin token        {each.admin_token}")
    _head("customers")
    for customer in customers:
        click.echo(f"  {customer.name:<11} {customer.about:<42} {customer.token}")
    click.echo(f"  pushes go to {receiver_url}/CUSTOMER/MODULE and are shown below")
    _head("try")
    for line in _calls(acceptance, customers):
        click.echo(f"  {line}")
    _head(f"live (Ctrl-C ends all; logs in {logs})")


def _calls(acceptance: Environment, customers: Sequence[Customer]) -> list[str]:
    analytics, city = customers[0], customers[1]
    pulls = (
        (analytics, "1.0/locations"),
        (analytics, f"1.0/sessions?{SINCE}&limit=3"),
        (analytics, "1.0/cdrs?limit=3"),
        (city, "1.0/locations"),
    )
    start = json.dumps({"type": "StartCharging", "token_uid": CARDS[0], "connector_number": 1})
    admin = f"-H 'Authorization: Token {acceptance.admin_token}' -d '{start}'"
    chargewire = shlex.quote(str(Path(sys.executable).with_name("chargewire")))  # is not in everybody's PATH
    return [
        *(f"curl -s -H 'Authorization: Token {each.token}' \"{each.url}/api/{path}\"" for each, path in pulls),
        f"curl -s {admin} {acceptance.url}/admin/v1/stations/DHG-MV-1/commands",
        f"{chargewire} station --url {acceptance.ocpp_url} --id {HISTORY}CA-303 --token {CARDS[0]} --speed {SPEED_AC}",
    ]


def _head(text: str) -> None:
    click.secho(f"\n{text}", bold=True)
