"""The servers that are measured, each as a process of its own on core 0, ended when its block ends."""

import contextlib
import os
import pwd
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from msgspec import Struct

ADMIN_TOKEN = "bench-admin"
START_S = 60


class Server(Struct, frozen=True, kw_only=True):
    """A running server. `http` is "" where it has none."""

    pid: int
    ocpp: str
    http: str = ""


@contextlib.contextmanager
def python_server(module: str) -> Iterator[Server]:
    """A server of this folder (`bench.echo`, `bench.peer`)."""
    with _running([sys.executable, "-m", module]) as (process, listening):
        yield Server(pid=process.pid, ocpp=listening(1)["ws"])


@contextlib.contextmanager
def chargewire(data: Path, database: str = "", *options: str) -> Iterator[Server]:
    """`chargewire serve` on free ports; `database`: a PostgreSQL URL, "" for SQLite in `data`."""
    command = [
        str(Path(sys.executable).with_name("chargewire")),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--ocpp-port",
        "0",
    ]
    command += ["--data", str(data), "--admin-token", ADMIN_TOKEN, "--allow-open-stations", "--log-level", "warning", *options]
    if database:
        command += ["--database", database]
    with (data / "serve.log").open("ab") as log, _running(command, core=0, log=log) as (process, listening):
        urls = listening(2)
        yield Server(pid=process.pid, ocpp=urls["ws"], http=urls["http"])


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that everybody may enter, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="chargewire-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """The URL of a fresh PostgreSQL with its durable defaults; None if the machine has no PostgreSQL.

    It refuses to run as root, so that root runs it as the user `postgres` of Debian's package.
    """
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
    if not binaries:
        yield None
        return
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    uid, gid = (user.pw_uid, user.pw_gid) if user else (None, None)
    with scratch() as folder:
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        place, port = folder / "pg", 20000 + secrets.randbelow(10000)
        subprocess.run(
            [binaries[-1] / "initdb", "-D", place, "-U", "bench", "-A", "trust", "--no-instructions"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", user=uid, group=gid,
        )  # fmt: skip
        process = subprocess.Popen(
            [binaries[-1] / "postgres", "-D", place, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", user=uid, group=gid,
        )  # fmt: skip
        try:
            _until(lambda: subprocess.call([binaries[-1] / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]) == 0)
            subprocess.run([binaries[-1] / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "bench"], check=True)
            yield f"postgresql://bench@127.0.0.1:{port}/bench"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def open_files(wanted: int) -> None:
    """Let this process and its children have as many open files as the machine allows, at most `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))


class _Listening:
    """Reads the lines `listening URL` of a server, and goes on reading so that its pipe never fills."""

    def __init__(self, pipe: IO[str]) -> None:
        self._urls: dict[str, str] = {}
        self._over = False
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def __call__(self, count: int) -> dict[str, str]:
        _until(lambda: len(self._urls) >= count or self._over)
        if len(self._urls) < count:
            raise RuntimeError("the server ended before it listened")
        return self._urls

    def _read(self, pipe: IO[str]) -> None:
        for line in pipe:
            word, _, url = line.strip().partition(" ")
            if word == "listening":
                self._urls[url.partition(":")[0]] = url
        self._over = True


@contextlib.contextmanager
def _running(
    command: list[str], core: int | None = None, log: IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[str], _Listening]]:
    open_files(20_000)
    taskset = ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
    process = subprocess.Popen([*taskset, *command], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        yield process, _Listening(process.stdout)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until(true: Callable[[], object]) -> None:
    end = time.monotonic() + START_S
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("a server did not start")
        time.sleep(0.05)
