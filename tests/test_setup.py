"""The set-up carries on wherever it was cut off. It runs here on a lock of one tiny package, without any network."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


class Checkout:
    """A clone with a lock of its own, and a folder of wheels instead of an index, told as pip's own setting."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        self.venv = folder / ".venv"
        self.wheels.mkdir(parents=True)
        (folder / "requirements").mkdir()
        shutil.copy(ROOT / "requirements" / "sync.py", folder / "requirements")
        shutil.copy(ROOT / "requirements" / "uv.txt", folder / "requirements")

    def lock(self, version: str, *, digest: str | None = None) -> None:
        """Name a version of the package `tiny` in the lock, and put its wheel where it is looked for."""
        wheel = self.wheels / f"tiny-{version}-py3-none-any.whl"
        info = f"tiny-{version}.dist-info"
        files = {
            "tiny.py": f"version = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},{_hash(text)},{len(text)}\n" for name, text in files.items()) + f"{info}/RECORD,,\n"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in (files | {f"{info}/RECORD": record}).items():
                archive.writestr(name, text)
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.folder / "requirements" / "dev.txt").write_text(f"tiny=={version} --hash=sha256:{digest}\n")

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """Begin to set up."""
        uv_cache = str(self.folder / "uv-cache")
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "UV_CACHE_DIR": uv_cache}
        return subprocess.Popen(
            [sys.executable, "requirements/sync.py", "dev"],
            cwd=self.folder,
            env=os.environ | offline | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def sync(self, **variables: str) -> str:
        """Set up to the end; what it printed."""
        process = self.start(**variables)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return output

    @property
    def version(self) -> str:
        """Of the package, as the environment's interpreter finds it."""
        command = [str(self.venv / "bin" / "python"), "-c", "import tiny; print(tiny.version)"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _hash(text: str) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that has been set up once; later tests go on with it."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    checkout.lock("1.0")
    assert "going on with pip" in checkout.sync()  # uv itself is not to be had
    return checkout


def test_without_uv_the_set_up_goes_on_with_pip(made: Checkout) -> None:
    made.lock("1.0")
    made.sync()
    assert made.version == "1.0"


def test_nothing_runs_when_the_lock_is_the_same(made: Checkout) -> None:
    made.sync()
    assert made.sync() == ""


def test_uv_finds_what_pip_was_configured_to_find(made: Checkout) -> None:
    if not (ROOT / ".venv" / "uv" / "bin" / "uv").exists():
        pytest.skip("this environment was set up with pip alone")
    shutil.copytree(ROOT / ".venv" / "uv", made.venv / "uv", dirs_exist_ok=True)
    made.lock("2.0")
    assert "going on with pip" not in made.sync()
    assert made.version == "2.0"


def test_a_package_with_another_hash_is_refused(made: Checkout) -> None:
    made.lock("3.0", digest="0" * 64)
    process = made.start()
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "the packages could not be installed" in output


def test_what_was_cut_off_between_packages_is_installed_anew(made: Checkout) -> None:
    made.lock("4.0")
    made.sync()
    (made.venv / ".syncing").touch()  # what a kill in the middle of installing leaves
    installed = next(made.venv.glob("lib/*/site-packages/tiny.py"))
    installed.unlink()
    assert "cut off" in made.sync()
    assert made.version == "4.0"


@pytest.mark.parametrize("until", ["creating .venv", "installing the packages"])
def test_killed_at_any_step_and_run_again_it_carries_on(tmp_path: Path, until: str) -> None:
    checkout = Checkout(tmp_path)
    checkout.lock("1.0")
    process = checkout.start()
    assert process.stdout
    while until not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    checkout.sync()
    assert checkout.version == "1.0"
    assert checkout.sync() == ""


def test_an_environment_whose_interpreter_is_gone_is_made_anew(made: Checkout) -> None:
    made.lock("5.0")
    made.sync()
    (made.venv / "bin" / "python").unlink()
    assert "creating .venv" in made.sync()
    assert made.version == "5.0"


def test_two_set_ups_at_once_do_the_work_once(made: Checkout) -> None:
    made.lock("6.0")
    outputs = [process.communicate()[0] for process in [made.start(), made.start()]]
    assert sorted(bool(output) for output in outputs) == [False, True]
    assert made.version == "6.0"
