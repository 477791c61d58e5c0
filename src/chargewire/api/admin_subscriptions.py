"""`/admin/v1/subscriptions` and what is told to stations: `/admin/v1/stations/{id}/commands`."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from msgspec import Meta, Struct

from chargewire.api.admin_lists import ListAsked, answer, answer_list, stored_at, times
from chargewire.api.asking import query_of, whole
from chargewire.api.context import Asking
from chargewire.api.faults import Problem, problem
from chargewire.api.gate import admin
from chargewire.charging.commands import Command
from chargewire.charging.errors import Refused
from chargewire.csms.described import describe_subscription
from chargewire.csms.intake import read
from chargewire.csms.subscribing import (
    Rotation,
    SubscriptionChange,
    SubscriptionInput,
    change_subscription,
    rotate,
    subscribe,
)
from chargewire.journal.memory import Ref, Stored
from chargewire.sharing.subscription import Subscription

PATIENCE_S = 30


class CommandAsked(Struct, frozen=True, kw_only=True):
    timeout_s: Annotated[str | None, Meta(description="seconds to wait for the station, 30 if not given")] = None


@get("/subscriptions", opt={"query": ListAsked})
async def list_subscriptions(request: Asking) -> Response[bytes]:
    """All subscriptions, without tokens."""
    return await answer_list(request, admin(request), "subscription", _described)


@get("/subscriptions/{subscription_id:str}")
async def get_subscription(request: Asking, subscription_id: FromPath[str]) -> Response[bytes]:
    """One subscription, without tokens."""
    stored = await stored_at(admin(request), "subscription", [Ref("subscription", "", subscription_id)])
    (described,) = await _described([stored])
    return answer(described | times(stored))


@post("/subscriptions", opt={"body": SubscriptionInput})
async def make_subscription(request: Asking) -> Response[bytes]:
    """Make a subscription. Its token is shown this once."""
    api = admin(request)
    subscription, token = await subscribe(api.registry, await request.body())
    return answer({"token": token, **describe_subscription(subscription)}, 201)


@patch("/subscriptions/{subscription_id:str}", opt={"body": SubscriptionChange})
async def patch_subscription(request: Asking, subscription_id: FromPath[str]) -> Response[bytes]:
    """Change what is given; an endpoint that is null is dropped, grants are replaced as a whole."""
    api = admin(request)
    return answer(describe_subscription(await change_subscription(api.registry, subscription_id, await request.body())))


@delete("/subscriptions/{subscription_id:str}", status_code=204)
async def end_subscription(request: Asking, subscription_id: FromPath[str]) -> None:
    """End a subscription: its tokens are void at once, nothing more is sent."""
    api = admin(request)
    found = api.directory.subscription(subscription_id)
    if found is not None and found.roaming is not None:
        raise Refused("is a roaming connection: it is changed under /admin/v1/partners")
    await api.registry.drop(Ref("subscription", "", subscription_id), "subscription")


@post("/subscriptions/{subscription_id:str}/rotate", opt={"body": Rotation})
async def rotate_token(request: Asking, subscription_id: FromPath[str]) -> Response[bytes]:
    """Give a new token, shown this once; the old ones stay good for `overlap_s` seconds."""
    api = admin(request)
    subscription, token = await rotate(api.registry, subscription_id, await request.body())
    return answer({"token": token, **describe_subscription(subscription)}, 201)


@post(["/subscriptions/{subscription_id:str}/replay", "/subscriptions/{subscription_id:str}/validate"], opt={"hidden": True})
async def not_yet(request: Asking, subscription_id: FromPath[str]) -> Response[bytes]:
    """Not built yet."""
    await stored_at(admin(request), "subscription", [Ref("subscription", "", subscription_id)])
    return problem(Problem(title="Not built yet", status=501, detail="this part of the admin API does not exist yet"))


@get("/deliveries")
async def list_deliveries(request: Asking) -> Response[bytes]:
    """How far each endpoint has been told, and what went wrong."""
    api = admin(request)
    return answer({"data": api.settings.push_status() if api.settings.push_status else []})


@post("/stations/{station_id:str}/commands", opt={"body": Command, "query": CommandAsked})
async def order_command(request: Asking, station_id: FromPath[str]) -> Response[bytes]:
    """Tell a station to do something: `{"type": "Restart", "hard": true}`. Answers at once; ask for what came of it."""
    api = admin(request)
    timeout_s = whole("timeout_s", query_of(request, CommandAsked).timeout_s, PATIENCE_S, 1)
    command: Any = read(await request.body(), Command)  # type: ignore[arg-type]
    order = await api.desk.order(station_id, command, asked_by="admin", timeout_s=timeout_s)
    return answer(order, 202)


@get("/commands/{order_id:str}")
async def get_command(request: Asking, order_id: FromPath[str]) -> Response[bytes]:
    """What came of a command: `state` PENDING, SENT, ANSWERED, FAILED or TIMEOUT, and the station's answer."""
    return answer(await admin(request).desk.order_state(order_id))


async def _described(rows: Sequence[Stored]) -> list[dict[str, Any]]:
    return [describe_subscription(msgspec.json.decode(stored.body, type=Subscription)) for stored in rows]
