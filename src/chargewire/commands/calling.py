"""Calling the admin API from the shell; what it refuses becomes one readable line."""

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click

TIMEOUT_S = 60


class Caller:
    """One instance, as its operator."""

    def __init__(self, url: str, admin_token: str) -> None:
        """Raises UsageError for what is no URL of the web."""
        if not url.startswith(("http://", "https://")):
            raise click.UsageError(f"--url must begin with http:// or https://, not {url!r}")
        self._base = f"{url.rstrip('/')}/admin/v1/"
        self._headers = {"Authorization": f"Token {admin_token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON, None if it has none. Raises ClickException."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._base + path, data, self._headers, method=method)  # noqa: S310  (checked above)
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                text = answer.read()
        except HTTPError as error:
            raise click.ClickException(_said(error)) from error
        except (URLError, HTTPException, OSError) as error:
            raise click.ClickException(f"{self._base}: {getattr(error, 'reason', error)}") from error
        return json.loads(text) if text else None


def _said(error: HTTPError) -> str:
    """What problem details say (RFC 9457), else the code."""
    try:
        problem = json.loads(error.read())
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}"
