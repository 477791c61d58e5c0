"""`/`: the status page. It shows what is going on, live, to whoever has the admin token (or to everybody, in a demo)."""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from chargewire.api.context import Asking, api_of
from chargewire.api.gate import COOKIE, cookie_for, is_logged_in, viewer
from chargewire.charging.errors import MemoryUnavailable
from chargewire.portal.picture import Studio

EVERY_S = 1.0
MOST_LOGIN = 4096  # bytes of the login form
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
TYPES = {"page.css": "text/css", "page.js": "text/javascript"}
_pages = files("chargewire.portal") / "pages"


@get("/")
async def status_page(request: Asking) -> Response[bytes]:
    """The page, or the form that asks for the admin token."""
    api = api_of(request)
    name = "page.html" if api.settings.open_status or is_logged_in(request) else "login.html"
    text = (_pages / name).read_text(encoding="utf-8").replace("{{environment}}", api.settings.environment)
    text = text.replace("{{logged_in}}", "" if is_logged_in(request) else "hidden")
    text = text.replace("{{said}}", "That was not the admin token." if "wrong" in request.query_params else "")
    return _page(text)


@post("/login", status_code=303)
async def login(request: Asking) -> Response[bytes]:
    """Keep a cookie that is good as long as the admin token stays what it is."""
    api = api_of(request)
    body = await _at_most(request, MOST_LOGIN)
    form = parse_qs(body.decode("utf-8", "replace"))
    cookie = cookie_for(api, form.get("token", [""])[0])
    response = Response(b"", status_code=303, headers={"location": "/" if cookie else "/?wrong"})
    if cookie:
        secure = request.scope["scheme"] == "https"
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure, max_age=12 * 3600)
    else:
        await asyncio.sleep(0.5)
    return response


@post("/logout", status_code=303)
async def logout(request: Asking) -> Response[bytes]:
    """Forget the cookie."""
    response = Response(b"", status_code=303, headers={"location": "/"})
    response.delete_cookie(COOKIE)
    return response


@get("/live")
async def live(request: Asking) -> Stream:
    """The page's data as server-sent events, one a second."""
    viewer(request)
    return Stream(_events(_studio(request)), media_type="text/event-stream", headers={"cache-control": "no-store"})


@get("/pages/{name:str}")
async def page_file(name: FromPath[str]) -> Response[bytes]:
    """Style and script of the page."""
    if name not in TYPES:
        raise NotFoundException
    body = (_pages / name).read_bytes()
    return Response(body, media_type=TYPES[name], headers={"cache-control": "max-age=300"})


ROUTES: list[HTTPRouteHandler] = [status_page, login, logout, live, page_file]


async def _events(studio: Studio) -> AsyncIterator[bytes]:
    sent = b""
    while True:
        try:
            picture = await studio.picture()
        except MemoryUnavailable:
            picture = b'{"trouble":"The memory cannot be read at the moment."}'
        if picture != sent:
            yield b"data: " + picture + b"\n\n"
            sent = picture
        await asyncio.sleep(EVERY_S)


async def _at_most(request: Asking, most: int) -> bytes:
    """The body; "" if it is longer than anything that is meant, for whoever sends it is not known yet."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return b""
    return bytes(body)


def _studio(request: Asking) -> Studio:
    """The one of this instance."""
    api, state = api_of(request), request.app.state
    if "studio" not in state:
        settings = api.settings
        state["studio"] = Studio(
            api.journal, api.directory, settings.environment, settings.public_ocpp_url, settings.push_status
        )
    studio: Studio = state["studio"]
    return studio


def _page(text: str) -> Response[bytes]:
    body: Any = text.encode()
    headers = {"content-security-policy": POLICY, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(body, media_type="text/html", headers=headers)
