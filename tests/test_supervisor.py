"""Children are started again, stopped together, and do not outlive their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from api.process import supervisor as module
from api.process.supervisor import Child, Supervisor, Voice

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"


def python(code: str) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts a child that has begun to run once this returns."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)

    return start


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def output() -> StringIO:
    return StringIO()


@pytest.fixture
def supervisor(output: StringIO) -> Supervisor:
    return Supervisor(Console(file=output, width=200))


async def test_a_child_that_dies_is_started_again_and_its_lines_bear_its_name(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    supervisor.keep(Child("clock", python("print('tick', flush=True); import os; os.kill(os.getpid(), 9)")))
    await until(lambda: output.getvalue().count("clock │ tick") >= 3)
    await supervisor.end()
    assert "clock was ended by SIGKILL; starting it again in 0.01 s" in output.getvalue()
    assert "starting it again in 0.02 s" in output.getvalue()


async def test_it_goes_on_and_ends_though_nobody_reads_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    reading, writing = os.pipe()
    os.close(reading)
    pipe = os.fdopen(writing, "w", buffering=1)
    deaf = Supervisor(Voice(file=pipe))
    deaf.say("ready")
    child = Child("clock", python("print('tick', flush=True); raise SystemExit(1)"))
    deaf.keep(child)
    first = child.process
    await until(lambda: child.process is not first)
    async with asyncio.timeout(20):
        await deaf.end()
    with suppress(BrokenPipeError):
        pipe.close()


async def test_a_child_that_cannot_be_started_again_is_tried_again(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    starts = iter([python("raise SystemExit(1)"), None, None])

    def start() -> subprocess.Popen[bytes]:
        how = next(starts, None)
        if how is None:
            raise LookupError("a package is gone")
        return how()

    supervisor.keep(Child("clock", start))
    await until(lambda: output.getvalue().count("clock could not be started: a package is gone") >= 2)
    await supervisor.end()


async def test_what_a_child_leaves_behind_ends_with_it(supervisor: Supervisor, output: StringIO) -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); sys.exit(1)"
    supervisor.keep(Child("worker", python(code)))
    await until(lambda: "starting it again" in output.getvalue())
    engine = int(output.getvalue().split("│")[1].split()[0])
    await until(lambda: not psutil.pid_exists(engine) or psutil.Process(engine).status() == psutil.STATUS_ZOMBIE)
    await supervisor.end()


async def test_lower_layers_are_stopped_after_the_higher_ones(supervisor: Supervisor, output: StringIO) -> None:
    code = "import signal, sys; print('up', flush=True); signal.sigwait([signal.SIGTERM]); print('down', flush=True)"
    blocked = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); {code}"
    supervisor.keep(Child("broker", python(blocked), layer=0))
    supervisor.keep(Child("worker", python(blocked)))
    await until(lambda: output.getvalue().count("up") == 2)
    await supervisor.end()
    await until(lambda: output.getvalue().count("down") == 2)
    assert output.getvalue().index("worker │ down") < output.getvalue().index("broker │ down")


async def test_a_child_that_will_not_stop_is_killed(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_AGAIN_AFTER", 0.05)
    monkeypatch.setattr(module, "KILL_AFTER", 0.1)
    child = Child("deaf", python(STUBBORN))
    supervisor.keep(child)
    await until(lambda: "deaf" in output.getvalue())
    supervisor.ask_to_stop()
    await supervisor.end()
    assert child.process
    assert child.process.returncode == -signal.SIGKILL


async def test_a_patient_stop_gives_a_child_all_the_time_that_it_needs(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_AGAIN_AFTER", 0.05)
    monkeypatch.setattr(module, "KILL_AFTER", 0.1)
    supervisor.drain = 20.0
    code = "import signal, time; signal.sigwait([signal.SIGTERM]); time.sleep(1); print('finished', flush=True)"
    child = Child("busy", python(f"import signal; signal.pthread_sigmask(0, [15]); print(flush=True); {code}"))
    supervisor.keep(child)
    await until(lambda: "busy" in output.getvalue())
    supervisor.ask_to_stop(patient=True)
    await supervisor.end()
    assert child.process
    assert child.process.returncode == 0
    assert "busy │ finished" in output.getvalue()


async def test_a_patient_stop_that_is_asked_for_again_is_quick(
    supervisor: Supervisor, output: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_AGAIN_AFTER", 0.05)
    monkeypatch.setattr(module, "KILL_AFTER", 0.1)
    supervisor.drain = 600.0
    child = Child("deaf", python(STUBBORN))
    supervisor.keep(child)
    await until(lambda: "deaf" in output.getvalue())
    supervisor.ask_to_stop(patient=True)
    ending = asyncio.create_task(supervisor.end())
    await asyncio.wait({ending}, timeout=0.3)
    assert not ending.done()
    supervisor.ask_to_stop(patient=True)
    await asyncio.wait_for(ending, 20)
    assert child.process
    assert child.process.returncode == -signal.SIGKILL


async def test_a_child_whose_settings_are_wrong_stops_everything(supervisor: Supervisor, output: StringIO) -> None:
    supervisor.keep(Child("healthy", python("import time; time.sleep(600)")))
    supervisor.keep(Child("misled", python("import sys; sys.exit(78)")))
    await supervisor.stopping.wait()
    await supervisor.end()
    assert supervisor.failed
    assert "starting it again" not in output.getvalue()


def test_no_child_survives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    code = f"""
        import subprocess, sys
        from tasks.system.processes import dies_with_parent
        child = [sys.executable, "-c", {STUBBORN!r}]
        print(subprocess.Popen(child, stdout=subprocess.PIPE, preexec_fn=dies_with_parent()).pid, flush=True)
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        child.wait(timeout=5)


def test_where_the_kernel_does_not_help_a_child_watches_the_pipe_from_its_parent() -> None:
    code = (
        "from tasks.system import processes; import time; "
        "processes.end_with_parent(); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(timeout=5) == -signal.SIGKILL


def test_a_parent_that_dies_before_the_kernel_was_told_is_noticed() -> None:
    code = "import os; from tasks.system import processes; os.getppid = lambda: 1; processes.dies_with_parent()()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == (1 if os.name == "posix" else 0)
