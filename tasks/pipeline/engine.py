"""The way into the speech engine: what must be set before torch, WhisperX and pyannote are imported is set here."""

import os
import warnings
from pathlib import Path

from tasks.pipeline.types import SpeechEngine


def open_engine(
    models: Path,
    *,
    device: str = "auto",
    compute_type: str = "auto",
    batch_size: int = 0,
    threads: int = 0,
    online: bool = False,
    token: str | None = None,
) -> SpeechEngine:
    """The engine over the models in a folder; 0 and `auto` mean: as suits the machine. Loads nothing but libraries yet.

    `online` allows models from the hub (with `token` where they need a licence); else nothing reaches the network.
    """
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # pyannote.audio would tell its makers of every file
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if not online:
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    if token:
        os.environ["HF_TOKEN"] = token
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyannote warns at length that torchcodec finds no FFmpeg; it is not used
        from tasks.pipeline.whisperx import WhisperXEngine  # only now: these imports read the environment

    return WhisperXEngine(
        models,
        device=device,
        compute_type=compute_type,
        batch_size=batch_size,
        threads=threads,
        online=online,
        token=token,
    )
