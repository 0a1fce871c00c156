"""The command `graphophone` as a wheel installs it: from any folder, on whatever stands for recordings."""

import json
import shutil
import subprocess
import sys
import tomllib
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.servers import Server

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with what the wheel carries, where it carries it to."""
    folder = tmp_path_factory.mktemp("site")
    carried = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, target in carried.items():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, folder / target)
    return folder


@pytest.fixture
def graphophone(site: Path, server: Server, tmp_path: Path) -> Run:
    """Runs the command in a folder of its own that has a misleading name in it."""
    folder = tmp_path / "elsewhere"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    module, _, function = PROJECT["project"]["scripts"]["graphophone"].partition(":")
    script = folder.parent / "graphophone"
    script.write_text(f"from {module} import {function}\n{function}()\n")

    def run(*words: object, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, script, *map(str, words)],
            cwd=folder,
            input=said,
            env=server.environment | {"PYTHONPATH": str(site), "NO_COLOR": "1", "COLUMNS": "200"},
            capture_output=True,
            check=False,
            timeout=90,
        )

    return run


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A folder with two recordings and something else."""
    folder = tmp_path / "the calls"
    folder.mkdir()
    for name in ("a.wav", "b.WAV"):
        with wave.open(str(folder / name), "wb") as opened:
            opened.setparams((1, 2, 16_000, 0, "NONE", ""))
            opened.writeframes(bytes(2 * 16_000 * 3))
    (folder / "notes.txt").write_text("no recording")
    return folder


def test_help_and_version_come_from_any_folder(graphophone: Run) -> None:
    assert b"transcribe" in graphophone("-h").stdout
    assert graphophone("--version").stdout == f"graphophone {PROJECT['project']['version']}\n".encode()


def test_a_folder_becomes_files_of_each_format(graphophone: Run, calls: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = graphophone("transcribe", calls, "-f", "srt", "-f", "json", "-o", out, "--no-diarize")
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in out.iterdir()) == ["a.json", "a.srt", "b.json", "b.srt"]
    assert json.loads((out / "a.json").read_text())["speakers"] == []


def test_a_pattern_and_standard_input_are_recordings(graphophone: Run, calls: Path) -> None:
    assert b"Hello there" in graphophone("transcribe", calls / "a*").stdout
    assert b"Hello there" in graphophone("transcribe", "-", said=(calls / "a.wav").read_bytes()).stdout


def test_one_that_fails_does_not_stop_the_others(graphophone: Run, calls: Path) -> None:
    done = graphophone("transcribe", calls / "notes.txt", calls / "a.wav")
    assert done.returncode == 4
    assert b"notes.txt: " in done.stderr
    assert b"Hello there" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--language", "xx"], b"--language"),
        (["--speakers", "0"], b"--speakers"),
        (["--min-speakers", "3", "--max-speakers", "2"], b"--min-speakers"),
        (["--beam-size", "11"], b"--beam-size"),
        (["-f", "srt", "-f", "vtt", "-o", "missing"], b"--output"),
        (["nothing*"], b"nothing matches"),
        (["https://example.org/a.mp3"], b"fetch it first"),
    ],
)
def test_wrong_usage_is_2_and_names_the_option(graphophone: Run, calls: Path, words: list[str], says: bytes) -> None:
    done = graphophone("transcribe", calls / "a.wav", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert b"upload" not in done.stderr
