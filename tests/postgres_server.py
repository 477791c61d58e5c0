"""A private PostgreSQL server for tests, made from Debian's binaries (or those on the path) in a temporary directory."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

import asyncpg

GIVEN = "CHARGEWIRE_TEST_POSTGRES"


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are; the newest version from 15 on."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if int(path.parent.name.split(".")[0]) >= 15]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def why_not(*, own: bool = False) -> str | None:
    """Why no server can be had, or with `own` none that a test may stop; None if one can."""
    if os.environ.get(GIVEN) and not own:
        return None
    if binaries() is None:
        return f"no PostgreSQL: set {GIVEN} to the URL of a server, or install postgresql-15"
    if os.getuid() == 0 and _other_user() is None:
        return f"PostgreSQL does not run as root and there is no user postgres: set {GIVEN} to the URL of a server"
    return None


class PostgresServer:
    """A server of our own; `url` is that of its first database. Durability is off unless asked for."""

    def __init__(self, *, durable: bool = False) -> None:
        self._binaries = binaries()
        self._durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="chargewire-pg-"))
        self._user = _other_user() if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self.port = _free_port()
        self._data = self.folder / "data"
        self._run("initdb", ["-D", str(self._data), "-U", "chargewire", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://chargewire@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "256MB" if self._durable else "64MB",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", ["-D", str(self._data), "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options, "start"])

    def stop(self) -> None:
        """Stop as if the machine was switched off; `start` brings it back."""
        self._run("pg_ctl", ["-D", str(self._data), "-w", "-m", "immediate", "stop"])

    def remove(self) -> None:
        """Stop and delete everything."""
        subprocess.run(self._command("pg_ctl", ["-D", str(self._data), "-m", "immediate", "stop"]), capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, tool: str, arguments: Sequence[str]) -> None:
        done = subprocess.run(
            self._command(tool, arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{tool}: {done.stderr}")

    def _command(self, tool: str, arguments: Sequence[str]) -> list[str]:
        assert self._binaries is not None
        command = [str(self._binaries / tool), *arguments]
        if self._user is None:
            return command
        return ["setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups", *command]


async def make_database(url: str, name: str) -> str:
    """An empty database on a server; the URL to it."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    finally:
        await connection.close()
    return f"{url.rpartition('/')[0]}/{name}"


async def drop_database(url: str, name: str) -> None:
    """Drop it, whoever is connected."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await connection.close()


def _other_user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _free_port() -> int:
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
