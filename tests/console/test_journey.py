"""What somebody does who has never seen the console, with real mouse and keys."""

from pathlib import Path

from tests.browser import END, ENTER, Browser
from tests.console.views import recording
from tests.fixtures.servers import Server

TEXT = "return document.querySelector('.text').innerText"
NAMES = "return [...document.querySelectorAll('.name')].map(e => e.textContent).join()"


def test_from_a_file_to_corrected_subtitles(console: Browser, tmp_path: Path, downloads: Path) -> None:
    console.upload("input[type=file][accept]", recording(tmp_path / "Harbour voices.wav"))
    console.find(".items .jname", "Harbour voices")  # done
    console.click(".items .jname a", "Harbour voices")
    console.find(".seg", "Hello there,")

    console.click(".seg", "Hello there,", times=2)
    console.find("[contenteditable]")
    console.press(END, " dear listeners", ENTER)
    console.wait(f"{TEXT}.includes(' dear listeners')")

    for machine, person in (("Speaker 1", "Amara Okafor"), ("Speaker 2", "Tomás Reyes")):
        console.click(".side .plain", machine)
        console.find("#speaker-name")
        console.press(person, ENTER)
        console.wait(f"{NAMES}.includes('{person}')")

    console.click(".tools .main", "Export")
    console.find(".caps li")
    console.click(".dlg-foot .main", "SRT")
    console.wait("return document.querySelector('.toast')?.textContent.includes('Harbour voices.srt')")
    saved = downloads / "Harbour voices.srt"
    console.wait("return !document.querySelector('dialog')")
    text = saved.read_text(encoding="utf-8")
    assert text.startswith("1\n00:00:00,000 --> ")
    assert all(words in text for words in ("Amara Okafor: ", "dear listeners", "Tomás Reyes: "))
    assert console.log() == []


def test_the_token_of_the_address_signs_in_and_does_not_stay_there(console: Browser) -> None:
    assert console.run("return location.hash") == "#/"
    assert console.run("return localStorage.length") == 0


def test_a_wrong_token_is_said_at_the_field_and_the_right_one_lets_in(window: Browser, server: Server) -> None:
    window.open("about:blank")
    window.open(server.url)
    window.run("sessionStorage.clear()")
    window.open("about:blank")
    window.open(server.url)
    window.find("#token")
    window.press("a-token-that-nobody-made", ENTER)
    window.find(".wrongly", "does not know that token")
    window.run("document.querySelector('#token').value = ''")
    window.click("#token")
    window.press(server.token, ENTER)
    window.find("main .call")
    assert [line for line in window.log() if "401" not in line] == []


def test_enter_in_a_field_of_a_dialog_does_what_the_dialog_is_for(console: Browser, tmp_path: Path) -> None:
    console.upload("input[type=file][accept]", recording(tmp_path / "Kitchen table.wav"))
    console.click(".items .jname a", "Kitchen table")
    console.find(".seg")
    console.press("g")
    console.find("dialog input")
    console.press("0:21", ENTER)
    console.wait("return document.querySelector('.now-at').textContent === '0:21'")
