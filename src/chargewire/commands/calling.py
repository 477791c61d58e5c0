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
        status, answer = self.answer(method, path, body)
        if status >= 400:
            self._fail(status, answer)
        return answer

    def text(self, path: str) -> str:
        """An answer that is no JSON. Raises ClickException."""
        status, content = self._exchange("GET", path, None)
        if status >= 400:
            self._fail(status, _json(content))
        return content.decode()

    def answer(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer, whatever it is. Raises ClickException if there is none."""
        status, content = self._exchange(method, path, body)
        return status, _json(content)

    @staticmethod
    def _fail(status: int, answer: Any) -> None:
        """Say what is wrong as problem details do (RFC 9457)."""
        if status == 401:
            raise click.ClickException("Not logged in: this is not the instance's admin token")
        try:
            raise click.ClickException(f"{answer['title']}: {answer['detail']}")
        except (KeyError, TypeError):
            raise click.ClickException(f"HTTP {status}") from None

    def _exchange(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._base + path, data, self._headers, method=method)  # noqa: S310  (checked above)
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()
        except (URLError, HTTPException, OSError) as error:
            raise click.ClickException(f"{self._base}: {getattr(error, 'reason', error)}") from error


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
