"""Sign-in at a certified provider (npm `oidc-provider`) in a real browser. `make clients` fetches the provider."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.system.processes import dies_with_parent
from tests.browser import Browser, browser
from tests.fixtures.issuer import oidc
from tests.fixtures.web import StartWeb
from tests.programs.clients.packages import FOLDER, HERE

NODE, DRIVER = shutil.which("node"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    NODE is None or DRIVER is None or not (FOLDER / "node_modules" / "oidc-provider").is_dir(),
    reason="Node.js, chromedriver or the npm package oidc-provider is not on this machine: `make clients` fetches it",
)
ASK = """return await (await fetch('/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({query: '{ viewer { user { name email } } }'})})).json()"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def provider(name: str, issuer: str, port: int, web: str) -> Iterator[None]:
    program = FOLDER / "oidc_provider.mjs"
    shutil.copy(HERE / program.name, program)
    environment = os.environ | {"PORT": str(port), "ISSUER": issuer, "WEB": web, "NAME": name}
    process = subprocess.Popen(
        [str(NODE), str(program)],
        cwd=FOLDER,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=dies_with_parent(),
    )
    assert process.stdout
    try:
        for line in process.stdout:
            if line.strip() == "ready":
                break
        else:
            raise AssertionError("the provider did not start")
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Person:
    """Somebody at the browser."""

    def __init__(self, window: Browser, web: str) -> None:
        self.window, self.web = window, web

    def sign_in(self, at: str, name: str) -> None:
        """Begin at us, sign in and consent at the provider, and come back."""
        self.window.open(f"{self.web}/auth/{at}/login?again=1")
        self.fill(name)
        self.window.wait(f"return location.href.startsWith('{self.web}/graphql')")

    def fill(self, name: str) -> None:
        """Sign in at the provider, and consent where it asks."""
        self.window.wait("return document.querySelector('[name=login]') !== null")
        self.window.run(
            f"document.querySelector('[name=login]').value = '{name}';"
            "document.querySelector('[name=password]').value = 'x'; document.querySelector('form').submit()"
        )
        consent = "document.querySelector('form [value=consent]') !== null"
        self.window.wait(f"return {consent} || location.href.startsWith('{self.web}')")
        if self.window.run(f"return {consent}"):
            self.window.run("document.querySelector('form').submit()")

    def seen(self) -> Any:
        """Who the server takes one for; None when for nobody."""
        answer = self.window.run(ASK)
        return answer["data"]["viewer"]["user"] if "data" in answer else None


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.timeout(300)  # a browser, two providers
async def test_people_sign_in_deny_sign_out_and_are_signed_out(start_web: StartWeb, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    issuers = [f"http://127.0.0.1:{ports[0]}", f"http://localhost:{ports[1]}"]  # hosts of their own, so cookies too
    secret = {"client_id": "graphophone", "client_secret": "a secret of the tests"}
    names = ("one", "two")
    settings = [{"name": name, "issuer": issuer, **secret} for name, issuer in zip(names, issuers, strict=True)]
    web = await start_web(OIDC=oidc(*settings))
    await asyncio.to_thread(_journey, web.url, list(zip(names, issuers, ports, strict=True)), tmp_path)


def _journey(web: str, providers: list[tuple[str, str, int]], tmp_path: Path) -> None:
    with ExitStack() as stack:
        for name, issuer, port in providers:
            stack.enter_context(provider(name, issuer, port, web))
        window = stack.enter_context(browser(tmp_path / "profile", free_port(), str(DRIVER)))
        person = Person(window, web)
        window.open(f"{web}/graphql")
        assert person.seen() is None
        person.sign_in("one", "ann")
        assert person.seen() == {"name": "ann", "email": "ann@example.org"}
        person.sign_in("two", "bob")
        assert person.seen() == {"name": "bob", "email": "bob@example.org"}

        window.open(f"{web}/auth/one/login?again=1")
        window.wait("return document.querySelector('a[href*=abort]') !== null")
        window.run("document.querySelector('a[href*=abort]').click()")
        window.wait("return document.body.innerText.includes('FORBIDDEN')")
        window.open(f"{web}/graphql")
        assert person.seen()["name"] == "bob"  # a denial changes nothing

        window.open(f"{web}/auth")  # from here, a form may lead on to a provider
        window.run("const form = document.createElement('form'); form.method = 'post'; form.action = '/auth/logout';"
                   "document.body.append(form); form.submit()")  # fmt: skip
        window.wait("return document.querySelector('[name=logout]') !== null")
        window.run("document.querySelector('[name=logout]').click()")
        window.wait(f"return location.href.startsWith('{web}/graphql')")
        assert person.seen() is None

        person.sign_in("one", "ann")
        window.open(f"{providers[0][1]}/session/end")  # at the provider, behind our back
        window.wait("return document.querySelector('[name=logout]') !== null")
        window.run("document.querySelector('[name=logout]').click()")
        window.wait("return document.querySelector('[name=logout]') === null")
        window.open(f"{web}/graphql")
        window.wait(ASK.replace("return await (await", "return 'errors' in await (await"))
