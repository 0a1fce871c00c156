"""Requests to servers that somebody else names leave for public addresses only."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from tasks.system.outbound.client import OutboundClient
from tasks.system.outbound.destination import Destinations, is_public
from tasks.system.outbound.errors import AddressRefused, TooSlow, Unreachable

LOOPBACK = Destinations.parse("127.0.0.0/8")
TO_LOOPBACK = [
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/", "http://[::127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/", "http://[64:ff9b:1::7f00:1]:{port}/", "http://0.0.0.0:{port}/",
    "http://[::]:{port}/", "http://localhost:{port}/", "http://user:pw@127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/", "http://１２７.0.0.1:{port}/",
]  # fmt: skip
ELSEWHERE = [
    "http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://100.64.0.1/", "http://100.100.100.200/",
    "http://10.0.0.1/", "http://224.0.0.1/", "http://255.255.255.255/", "http://192.0.2.1/", "http://198.18.0.1/",
    "http://192.0.0.192/", "http://168.63.129.16/", "http://[fe80::1%25lo]/", "http://[2001:0:7f00:1::]/",
    "http://8.8.8.8:25/", "ftp://1.1.1.1/", "file:///etc/passwd", "gopher://1.1.1.1/", "http://", "//x", "",
    "http://[::1", "http://a b/", "http://" + "a" * 5000,
]  # fmt: skip


class Server:
    """A listener that counts its connections and answers as it is told."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host, self.port, self.connections, self.heard = host, 0, 0, list[str]()
        self.answer: Callable[[str, asyncio.StreamWriter], Awaitable[None]] = ok

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heard.append(head)
            await self.answer(head, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def ok(_head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")


def redirect(to: str) -> Callable[[str, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())

    return answer


@asynccontextmanager
async def serving(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
    server = Server(host)
    async with await asyncio.start_server(server.serve, host, port) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


async def fetch(url: str, allowed: Destinations, seconds: float = 3.0) -> bytes:
    async with OutboundClient(allowed) as client, client.send("GET", url, seconds=seconds) as answer:
        body: bytes = await answer.aread()
        return body


@pytest.mark.parametrize("url", [*TO_LOOPBACK, *ELSEWHERE])
async def test_nothing_leaves_for_an_address_that_is_not_public(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def watched(sock: socket.socket, address: Any) -> None:
        tried.append(address)
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", watched)
    async with serving() as server:
        with pytest.raises((AddressRefused, Unreachable)):
            await fetch(url.replace("{port}", str(server.port)), Destinations())
        assert (server.connections, tried) == (0, [])


async def test_a_redirect_is_an_answer_and_leads_nowhere() -> None:
    async with serving("127.0.0.2") as public, serving() as inside:
        public.answer = redirect(inside.url)
        assert await fetch(public.url, LOOPBACK) == b""
        assert (public.connections, inside.connections) == (1, 0)


async def test_the_address_that_was_checked_is_the_one_connected_to_whatever_the_name_server_says_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, turn = socket.getaddrinfo, iter(["127.0.0.2", "127.0.0.1"] * 10)

    def rebind(host: Any, *rest: Any, **options: Any) -> Any:
        return real(next(turn) if host == "rebind.example" else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    async with serving("127.0.0.2") as public, serving("127.0.0.1", public.port) as inside:
        url, allowed = f"http://rebind.example:{public.port}/", Destinations.parse("127.0.0.2/32")
        assert await fetch(url, allowed) == b"ok"
        with pytest.raises(AddressRefused):
            await fetch(url, allowed)
        assert (public.connections, inside.connections) == (1, 0)


async def test_a_name_with_one_private_address_among_its_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def both(_host: Any, *rest: Any, **options: Any) -> Any:
        return real("127.0.0.2", *rest, **options) + real("127.0.0.1", *rest, **options)

    async with serving("127.0.0.2") as public:
        monkeypatch.setattr(socket, "getaddrinfo", both)
        with pytest.raises(AddressRefused):
            await fetch(f"http://both.example:{public.port}/", Destinations.parse("127.0.0.2/32"))
        assert public.connections == 0


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as proxy, serving("127.0.0.2") as public:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert await fetch(public.url, LOOPBACK) == b"ok"
        assert proxy.connections == 0


async def test_a_server_that_drips_is_stopped_when_the_time_is_over() -> None:
    async def drip(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving() as server:
        server.answer = drip
        with pytest.raises(TooSlow):
            await fetch(server.url, LOOPBACK, seconds=0.3)


async def test_an_operator_names_the_private_hosts_that_may_be_reached() -> None:
    async with serving() as server:
        assert await fetch(f"http://localhost:{server.port}/", Destinations.parse("localhost, 10.0.0.0/8")) == b"ok"
        with pytest.raises(AddressRefused):
            await fetch(server.url, Destinations.parse("localhost"))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
