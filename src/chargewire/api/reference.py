"""`/docs`: the API reference, made from the handlers and the types that they read and write; no outside network."""

from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
import swagger_ui_bundle
from litestar import Litestar, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.routes import HTTPRoute

from chargewire import __version__
from chargewire.api.context import Asking, api_of
from chargewire.api.faults import JSON, Problem
from chargewire.api.schemas import older

ASSETS = Path(swagger_ui_bundle.swagger_ui_path)
TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
SCHEMAS = "#/components/schemas/{name}"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chargewire API</title><link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="data:,"><style>body{margin:0}.topbar{display:none}</style></head>
<body><div id="reference"></div><script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script></body></html>
"""
START = """SwaggerUIBundle({url: "/docs/openapi.json", dom_id: "#reference", deepLinking: true, docExpansion: "list",
defaultModelsExpandDepth: 0, persistAuthorization: true, tryItOutEnabled: true, validatorUrl: null})
"""
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"

ABOUT = """Chargewire's HTTP API. **Platform API** (`/api`): what a subscription pulls; give its token as `Token …`.
**Admin API** (`/admin`): for the operator, with the admin token. The data is served to tokens only; this page shows no data.
"""


@get("/")
async def page(request: Asking) -> Response[str]:
    """The reference as a page."""
    return Response(PAGE, media_type="text/html", headers={"content-security-policy": POLICY})


@get("/openapi.json")
async def document(request: Asking) -> Response[bytes]:
    """The reference as an OpenAPI 3.0 document."""
    body: Any = msgspec.json.encode(openapi(request.app, api_of(request).settings.environment))
    return Response(body, media_type=JSON)


@get("/assets/{name:str}")
async def asset(request: Asking, name: FromPath[str]) -> Response[bytes]:
    """Script, style or picture of the page."""
    if name == "start.js":
        return Response(START.encode(), media_type=TYPES[".js"])
    file = ASSETS / name
    if file.suffix not in TYPES or file.parent != ASSETS or not file.is_file():
        raise NotFoundException
    return Response(file.read_bytes(), media_type=TYPES[file.suffix], headers={"cache-control": "max-age=86400"})


ROUTES = [page, document, asset]


def openapi(app: Litestar, environment: str) -> dict[str, Any]:
    """The OpenAPI document of the pull API and the admin API."""
    handlers = [
        (route.path_format, method, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path_format.startswith(("/api/", "/admin/"))
        for handler in route.route_handlers
        for method in sorted(handler.http_methods)
        if method != "OPTIONS" and not handler.opt.get("hidden")
    ]
    shapes = [shape for _, _, handler in handlers for shape in _shapes(handler)]
    schemas, components = msgspec.json.schema_components([*shapes, Problem], ref_template=SCHEMAS)
    known = dict(zip(map(str, [*shapes, Problem]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, handler in handlers:
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler, known, components)
    document = {
        "openapi": "3.0.3",
        "info": {"title": f"Chargewire ({environment})", "version": __version__, "description": ABOUT},
        "tags": [{"name": tag} for tag in dict.fromkeys(map(_tag, sorted(paths, key=_customers_first)))],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": components, "securitySchemes": {"token": _SECURITY}},
        "security": [{"token": []}],
    }
    converted: dict[str, Any] = older(document)
    return converted


_SECURITY = {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token …`, with the word and a space"}


def _customers_first(path: str) -> tuple[bool, str]:
    return not path.startswith("/api/"), path


def _shapes(handler: HTTPRouteHandler) -> list[Any]:
    return [handler.opt[name] for name in ("query", "body", "answer") if name in handler.opt]


def _operation(
    path: str, method: str, handler: HTTPRouteHandler, known: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    text = cleandoc(handler.fn.__doc__ or "")
    summary, _, more = text.partition("\n\n")
    operation: dict[str, Any] = {
        "tags": [_tag(path)],
        "summary": summary.rstrip("."),
        "description": more,
        "operationId": "_".join((*path.split("/")[1:3], handler.fn.__name__)).replace(".", "_"),
        "parameters": [*_in_path(path), *_in_query(handler, known, components)],
        "responses": _answers(path, method, handler, known),
    }
    if "body" in handler.opt:
        body = known[str(handler.opt["body"])]
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    return operation


def _in_path(path: str) -> list[dict[str, Any]]:
    names = [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(handler: HTTPRouteHandler, known: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    if "query" not in handler.opt:
        return []
    schema = components[known[str(handler.opt["query"])]["$ref"].rpartition("/")[2]]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": {"type": "string"},
        }
        for name, field in schema["properties"].items()
    ]


def _answers(path: str, method: str, handler: HTTPRouteHandler, known: dict[str, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": known[str(Problem)]}}
    if path.startswith("/admin/"):
        code = {"POST": "201", "DELETE": "204"}.get(method, "200")
        failed = {"description": "Not done; `field` says what is wrong", "content": problem}
        return {code: {"description": "Done"}, "401": {"description": "No admin token"}, "422": failed}
    envelope = {
        "type": "object",
        "properties": {
            "data": known[str(handler.opt["answer"])],
            "status_code": {"type": "integer", "description": "1000; 2001: a parameter is missing or wrong, without `data`"},
            "status_message": {"type": "string"},
            "timestamp": {"type": "string", "format": "date-time"},
        },
    }
    headers = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in (
            ("Link", 'the next page, `<…>; rel="next"`; absent on the last'),
            ("X-Total-Count", "objects in the whole list"),
            ("X-Limit", "objects per page"),
            ("X-Complete-Until", "everything that was changed before this time is in the list"),
        )
    }
    return {
        "200": {"description": "Answered", "content": {JSON: {"schema": envelope}}, "headers": headers},
        "401": {"description": "No token, or one that is not known"},
        "404": {"description": "No such object, or none in scope; or the module is not granted"},
    }


def _tag(path: str) -> str:
    """What an operation is listed under."""
    segments = path.split("/")
    name = segments[3].split("?")[0]
    return f"Platform API · {name}" if segments[1] == "api" else f"Admin API · {name}"
