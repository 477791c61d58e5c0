"""The client against servers that behave, and servers that do not."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chargewire.outgoing.connection import ANSWER_CAP, Answer, Failure, Result
from chargewire.outgoing.http import Client, Origin

REQUEST = b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts connections and requests."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, Origin]]:
    server = Server(serve)
    listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield server, Origin(tls is not None, "127.0.0.1", port)
    finally:
        listening.close()


def always(answer: bytes, times: int = 1_000_000) -> Serve:
    """Answer each request so; then close."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(times):
            await reader.readexactly(len(REQUEST))
            writer.write(answer)

    return serve


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client(allow_private=True, connect_s=1, total_s=0.5)
    yield client
    await client.close()


async def failure_of(client: Client, origin: Origin) -> str:
    with pytest.raises(Failure) as failure:
        await client.exchange(origin, REQUEST)
    return failure.value.kind


async def test_connections_are_used_again(client: Client) -> None:
    async with serving(always(OK)) as (server, origin):
        for _ in range(20):
            assert (await client.exchange(origin, REQUEST)) == Answer(200, b"ok")
        assert server.connections == 1


async def test_answers_in_chunks_and_without_a_body_are_understood(client: Client) -> None:
    chunked = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    for answer, expected in ((chunked, Answer(201, b"abc")), (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b""))):
        async with serving(always(answer)) as (server, origin):
            for _ in range(3):
                assert await client.exchange(origin, REQUEST) == expected
            assert server.connections == 1


async def test_an_interim_answer_is_not_the_answer(client: Client) -> None:
    async with serving(always(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)) as (_, origin):
        assert (await client.exchange(origin, REQUEST)).status == 200


@pytest.mark.parametrize("more", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"HTTP/1.1 500 Oh", b"no HTTP"])
async def test_what_follows_an_answer_is_not_taken_for_the_next_one(client: Client, more: bytes) -> None:
    async with serving(always(OK + more)) as (server, origin):
        answers: list[Result] = []
        three = asyncio.Event()

        def done(result: Result) -> None:
            answers.append(result)
            if len(answers) < 3:
                client.send(origin, REQUEST, done)
            else:
                three.set()

        client.send(origin, REQUEST, done)
        await three.wait()
        assert answers == [Answer(200, b"ok")] * 3
        assert server.connections == 3


async def test_links_on_several_lines_are_one_list(client: Client) -> None:
    answer = b'HTTP/1.1 200 OK\r\nLink: </b>; rel="next"\r\nLink: </a>; rel="first"\r\nContent-Length: 0\r\n\r\n'
    async with serving(always(answer)) as (_, origin):
        assert (await client.exchange(origin, REQUEST)).link == '</b>; rel="next", </a>; rel="first"'
        assert (await client.exchange(origin, REQUEST)).link == '</b>; rel="next", </a>; rel="first"'


async def test_an_answer_without_length_ends_with_the_connection(client: Client) -> None:
    async with serving(always(b"HTTP/1.1 200 OK\r\n\r\nall of it", times=1)) as (server, origin):
        assert (await client.exchange(origin, REQUEST)).body == b"all of it"
        assert (await client.exchange(origin, REQUEST)).body == b"all of it"
        assert server.connections == 2


async def test_a_connection_that_the_server_closes_is_not_used_again(client: Client) -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with serving(always(answer)) as (server, origin):
        for _ in range(3):
            assert (await client.exchange(origin, REQUEST)).status == 200
        assert server.connections == 3


async def test_a_request_on_a_dying_connection_goes_out_again_over_a_fresh_one(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(REQUEST))
        writer.write(OK)
        await reader.readexactly(len(REQUEST))  # the second one is never answered

    async with serving(serve) as (server, origin):
        for _ in range(4):
            assert (await client.exchange(origin, REQUEST)).status == 200
        assert server.connections == 4


async def test_a_fresh_connection_that_dies_is_a_failure(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(REQUEST))

    async with serving(serve) as (server, origin):
        assert await failure_of(client, origin) == "reset"
        assert server.connections == 1


async def test_a_server_that_never_answers_is_given_up_at_the_deadline(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with serving(serve) as (_, origin):
        begin = time.monotonic()
        assert await failure_of(client, origin) == "timeout"
        assert 0.4 < time.monotonic() - begin < 1.5
    assert client.connections() == 0


async def test_dripping_bytes_do_not_stretch_the_deadline(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await asyncio.sleep(0.05)

    async with serving(serve) as (_, origin):
        begin = time.monotonic()
        assert await failure_of(client, origin) == "timeout"
        assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
async def test_an_endless_answer_is_cut_off(client: Client, head: bytes) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head)
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()
            sent += 4096

    async with serving(serve) as (_, origin):
        assert await failure_of(client, origin) in ("too-large", "malformed")
    assert sent < ANSWER_CAP * 200  # what the system's buffers take


async def test_what_is_not_http_is_a_failure(client: Client) -> None:
    async with serving(always(b"SSH-2.0-OpenSSH_9.2\r\n")) as (_, origin):
        assert await failure_of(client, origin) == "malformed"


async def test_a_port_where_nobody_listens_is_a_failure(client: Client) -> None:
    async with serving(always(OK)) as (_, origin):
        pass
    assert await failure_of(client, origin) == "connect"


async def test_a_name_that_does_not_exist_is_a_failure(client: Client) -> None:
    assert await failure_of(client, Origin(False, "nobody.invalid", 80)) in ("dns", "connect")


async def test_no_more_connections_are_opened_than_allowed_and_the_rest_waits() -> None:
    client = Client(allow_private=True, most=3)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readexactly(len(REQUEST))
            await asyncio.sleep(0.01)
            writer.write(OK)

    async with serving(serve) as (server, origin):
        answers = await asyncio.gather(*(client.exchange(origin, REQUEST) for _ in range(30)))
        assert {answer.status for answer in answers} == {200}
        assert server.connections == 3
        await client.close()


async def test_an_old_connection_is_replaced() -> None:
    now = 0.0
    client = Client(allow_private=True, clock=lambda: now)
    async with serving(always(OK)) as (server, origin):
        await client.exchange(origin, REQUEST)
        now = 299.0
        await client.exchange(origin, REQUEST)
        assert server.connections == 1
        now = 301.0
        await client.exchange(origin, REQUEST)
        assert server.connections == 2
        await client.close()


async def test_certificates_are_checked(client: Client, tmp_path: Path) -> None:
    path = _certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    async with serving(always(OK), tls) as (_, origin):
        assert await failure_of(client, origin) == "tls"
        trusting = Client(allow_private=True, tls=ssl.create_default_context(cafile=str(path)))
        assert (await trusting.exchange(origin, REQUEST)).status == 200
        await trusting.close()


async def test_closing_the_client_fails_what_is_under_way(client: Client) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with serving(serve) as (_, origin):
        asking = asyncio.create_task(client.exchange(origin, REQUEST))
        await asyncio.sleep(0.05)
        await client.close()
        with pytest.raises(Failure):
            await asking


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "receiver.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
