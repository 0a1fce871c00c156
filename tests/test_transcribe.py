"""`python -m api transcribe`: a client like any other, whose exit code a script can use."""

import json
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import psutil
import pytest

from tests.fixtures.servers import Server


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Twelve seconds, in which the fake engine hears something."""
    file = tmp_path / "call.wav"
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, 16_000, 0, "NONE", ""))
        opened.writeframes(bytes(2 * 16_000 * 12))
    return file


def command(server: Server, *arguments: object) -> list[str]:
    words = ["transcribe", "--url", server.url, "--token", server.token, *map(str, arguments)]
    return [sys.executable, "-m", "api", *words]


def transcribe(server: Server, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(server, *arguments), capture_output=True, text=True, check=False, timeout=90)


def test_the_text_goes_to_standard_output_and_the_progress_to_standard_error(server: Server, recording: Path) -> None:
    done = transcribe(server, recording)
    assert done.returncode == 0, done.stderr
    assert "Hello there" in done.stdout
    assert "upload: 0.4 MB sent" in done.stderr
    for stage in ("decode", "transcribe", "align", "diarize", "succeeded"):
        assert f"{stage}: " in done.stderr


@pytest.mark.parametrize(
    ("file_format", "begins"), [("srt", "1\n00:00:00,000 --> "), ("vtt", "WEBVTT\n"), ("json", "{")]
)
def test_each_format_can_be_had_in_a_file(server: Server, recording: Path, file_format: str, begins: str) -> None:
    output = recording.with_suffix(f".{file_format}")
    done = transcribe(server, recording, "--format", file_format, "-o", output)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert output.read_text().startswith(begins)
    if file_format == "json":
        json.loads(output.read_text())


def test_on_a_terminal_there_is_a_bar_with_stage_percent_and_time_left(server: Server, recording: Path) -> None:
    main, terminal = os.openpty()
    done = subprocess.run(
        command(server, recording),
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=False,
        timeout=90,
    )
    os.close(terminal)
    shown = os.read(main, 1 << 20).decode(errors="ignore")
    os.close(main)
    assert done.returncode == 0, shown
    assert "\x1b[" in shown
    assert "upload" in shown
    assert "0.4 of 0.4 MB" in shown
    assert "100%" in shown


def test_no_server_is_3(server: Server, recording: Path) -> None:
    done = transcribe(server, recording, "--url", "http://127.0.0.1:9")
    assert done.returncode == 3
    assert done.stderr.startswith("http://127.0.0.1:9/ cannot be reached: ")
    assert done.stderr.count("\n") == 1


def test_a_wrong_token_is_3(server: Server, recording: Path) -> None:
    done = transcribe(server, recording, "--token", "wrong")
    assert done.returncode == 3
    assert "UNAUTHENTICATED" in done.stderr


def test_a_missing_file_is_4(server: Server, tmp_path: Path) -> None:
    done = transcribe(server, tmp_path / "nothing.wav")
    assert done.returncode == 4
    assert done.stderr == f"{tmp_path / 'nothing.wav'}: No such file or directory\n"


def test_what_is_not_audio_is_4_with_a_reason(server: Server, tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_text("this is no recording" * 100)
    done = transcribe(server, tmp_path / "call.wav")
    assert done.returncode == 4, done.stderr
    assert "Upload a recording in a format such as" in done.stderr
    assert "[UNSUPPORTED_MEDIA]" in done.stderr


def test_wrong_usage_is_2_before_anything_is_sent(server: Server, recording: Path) -> None:
    assert transcribe(server, recording, "--format", "doc").returncode == 2
    assert transcribe(server, recording, "-o", "/no/such/folder/call.txt").returncode == 2
    assert transcribe(server).returncode == 2


def test_a_fault_of_the_server_is_5(server: Server, recording: Path) -> None:
    done = transcribe(server, recording, "--prompt", "missing:transcribe")
    assert done.returncode == 5, done.stderr
    assert done.stderr.endswith("the fake weights are missing ask for others [MODEL_UNAVAILABLE]\n")


def started(process: subprocess.Popen[str], line: str) -> None:
    assert process.stderr
    for told in process.stderr:
        if line in told:
            return
    pytest.fail(f"it ended before it said {line!r}")


def test_ctrl_c_cancels_the_job_and_is_6(server: Server, recording: Path) -> None:
    waits = ("--prompt", f"hold:transcribe:{recording.with_name('go-on')}")
    with subprocess.Popen(command(server, recording, *waits), stderr=subprocess.PIPE, text=True) as process:
        started(process, "transcribe: ")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 6
    assert "Cancelling the job" in told


def test_a_restart_of_the_web_process_is_bridged(server: Server, recording: Path) -> None:
    go_on = recording.with_name("go-on")
    waits = ("--prompt", f"hold:transcribe:{go_on}")
    with subprocess.Popen(
        command(server, recording, *waits), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        started(process, "transcribe: ")
        (web,) = [p for p in psutil.Process(server.process.pid).children() if "serve" in p.cmdline()]
        web.kill()
        started(process, "The connection broke; taking it up again.")
        go_on.touch()
        text, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Hello there" in text


def test_without_options_it_finds_the_server_and_the_token_of_its_data_folder(server: Server, recording: Path) -> None:
    environment = {name: value for name, value in server.environment.items() if name != "GRAPHOPHONE_PORT"}
    done = subprocess.run(
        [sys.executable, "-m", "api", "transcribe", str(recording)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
