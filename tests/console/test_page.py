"""The console's files, as they are served."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import httpx
import pytest
from starlette.applications import Starlette

from api.console.page import FOLDER, console_routes, files, imported
from tests.serve import Served

SCRIPTS = sorted(name for name in files() if name.endswith(".js"))
IMPORT = re.compile(r"(?:from|import\()\s*'(\.[^']+)'|^import '(\.[^']+)'", re.MULTILINE)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with Served(Starlette(routes=console_routes())) as served, httpx.Client(base_url=served.base) as client:
        yield client


def test_the_page_may_run_its_own_scripts_only_and_ask_its_own_server_only(http: httpx.Client) -> None:
    policy = http.get("/").headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert not [rule for rule in policy if "unsafe" in rule]


def test_nothing_names_another_server() -> None:
    for name, file in files().items():
        found = re.findall(rb"https?://[^\s\"'`)]+", file.body)
        assert set(found) <= {b"http://www.w3.org/2000/svg"}, name


def test_a_file_that_has_not_changed_is_not_sent_again(http: httpx.Client) -> None:
    for path in ("/", "/console/main.js"):
        first = http.get(path)
        again = http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert first.headers["cache-control"] == "no-cache"


def test_files_are_sent_compressed_to_those_that_can_read_it(http: httpx.Client) -> None:
    zipped = http.get("/console/main.js", headers={"Accept-Encoding": "gzip"})
    plain = http.get("/console/main.js", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.text == plain.text == files()["main.js"].body.decode()


def test_the_whole_console_is_at_most_150_kb() -> None:
    one_language = [file for name, file in files().items() if not name.startswith("messages/") or "/en." in name]
    assert sum(len(file.zipped) for file in one_language) <= 150_000


@pytest.mark.parametrize("name", ["page.py", "__init__.py", "", "..%2fapp.py", "%2e%2e/app.py", "nothing.js"])
def test_nothing_but_the_files_of_the_page_is_served(http: httpx.Client, name: str) -> None:
    assert http.get(f"/console/{name}").status_code == 404


def test_the_modules_that_the_first_view_needs_are_fetched_at_once(http: httpx.Client) -> None:
    page = http.get("/").text
    needed = imported(FOLDER / "main.js")
    assert len(needed) > 10
    assert re.findall(r'modulepreload" href="console/([^"]+)"', page) == needed


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_imports_only_files_that_are_there(name: str) -> None:
    for found in IMPORT.findall(files()[name].body.decode()):
        path = (FOLDER / PurePosixPath(name).parent / (found[0] or found[1])).resolve().relative_to(FOLDER)
        assert path.as_posix() in files()


@pytest.mark.parametrize("name", [name for name in sorted(files()) if not name.startswith("messages/")])
def test_a_file_has_at_most_300_lines_of_at_most_120_characters(name: str) -> None:
    lines = files()[name].body.decode().splitlines()
    assert len(lines) <= 300
    if not name.endswith(".svg"):
        assert not [line for line in lines if len(line) > 120]
