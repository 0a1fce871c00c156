"""No library tells its makers of what is done here."""

import os
import subprocess
import sys
from pathlib import Path


def test_onnx_runtime_opens_no_telemetry_session(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = "import tasks.pipeline.whisperx.phonemes"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment | {"TMPDIR": str(tmp_path)})
    assert not list(tmp_path.iterdir())  # it would keep its session's number there
