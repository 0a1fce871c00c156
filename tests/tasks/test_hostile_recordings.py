"""A recording that means harm costs the process that reads it, a few seconds and nothing else."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from db.domain.values import ErrorCode, Options
from tasks.decoding.containers import probe
from tasks.decoding.faults import InputFault
from tasks.media.ingestion import Probes
from tasks.pipeline.decoding import DecodingFailed, decode
from tasks.pipeline.types import Update, Work
from tasks.system.processes import ask, bare_environment
from tests.tasks.hostile_recordings import Hostile, hostile, quicktime
from tests.tasks.pipeline.recordings import write


def work(path: Path, seconds: float = 3600.0) -> Work:
    return Work(source=str(path), scratch=str(path.parent), options=Options(model="base"), max_seconds=seconds)


@pytest.mark.timeout(400)
def test_two_hundred_hostile_recordings_are_each_read_or_refused_in_time(tmp_path: Path) -> None:
    files = [one.save(tmp_path) for one in hostile(tmp_path)]
    assert len(files) >= 200
    command = [sys.executable, "-m", "tests.tasks.read_each", *map(str, files)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=bare_environment())
    outcomes = dict(json.loads(line) for line in ran.stdout.splitlines())
    assert len(outcomes) == len(files)
    assert set(outcomes.values()) == {"refused by the probe", "refused when decoded", "read"}
    assert not list(tmp_path.glob("*.partial"))


def test_what_takes_more_than_it_may_is_the_files_fault_and_final(tmp_path: Path) -> None:
    path = Hostile("index", quicktime(2**32 - 1)).save(tmp_path)
    told: list[Update] = []
    with pytest.raises(InputFault) as caught:
        decode(work(path), tmp_path / "samples", told.append)
    assert caught.value.problem.code is ErrorCode.UNSUPPORTED_MEDIA
    assert not caught.value.problem.retryable


@pytest.mark.parametrize("kind", [b"enca", b"drms", b"aavd"])
def test_protection_is_read_from_the_sample_description_and_not_from_a_title(tmp_path: Path, kind: bytes) -> None:
    assert probe(Hostile("song", quicktime(16_000, title=b"encanto drms aavd")).save(tmp_path)).channels == 1
    with pytest.raises(InputFault, match="DRM"):
        probe(Hostile("sold", quicktime(16_000, kind=kind)).save(tmp_path))


def test_the_probe_loads_nothing_but_what_reads_containers() -> None:
    code = "import sys, tasks.decoding.probe; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "av" in loaded
    assert not {"numpy", "tasks.pipeline", "sqlalchemy", "pydantic", "asyncio"} & set(loaded)


def test_what_reads_a_recording_has_no_network_no_programs_and_no_setting_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHOPHONE_TOKEN", "a-secret-of-sixteen")
    code = """
import os, socket, subprocess, sys
from tasks.decoding import sandbox
sandbox.enter(memory=1 << 30, seconds=10, written=0)
for attempt in (socket.socket, lambda: subprocess.run(["/bin/true"]), lambda: open(sys.argv[1], "wb", 0).write(b"x")):
    try:
        print("did it", attempt())
    except OSError as error:
        print(error.errno)
print([name for name in os.environ if name.startswith("GRAPHOPHONE")])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "written")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, env=bare_environment())
    assert ran.stdout.splitlines() == ["1", "1", "27", "[]"]


def test_decoding_ends_with_whoever_wanted_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a", container="flac", codec="flac", seconds=60)

    class Left(BaseException):
        pass

    def leave(_: Update) -> None:
        raise Left

    with pytest.raises(Left):
        decode(work(path), tmp_path / "samples", leave)
    assert not [child for child in psutil.Process().children() if "tasks.decoding" in " ".join(child.cmdline())]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a"]


def test_a_fault_of_ours_is_not_told_as_the_files(tmp_path: Path) -> None:
    with pytest.raises(DecodingFailed):
        decode(work(tmp_path / "missing"), tmp_path / "samples", lambda _: None)


async def test_no_more_probes_run_at_once_than_there_are_places() -> None:
    probes, running, most = Probes(2), 0, 0

    async def one() -> None:
        nonlocal running, most
        async with probes.turn():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == 2


async def test_a_child_that_ends_before_it_is_told_anything_is_no_fault() -> None:
    status, *_ = await ask("this", said=b"x" * 1_000_000)
    assert status == 0
