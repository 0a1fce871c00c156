"""The way into the speech engine: what must be set before torch, WhisperX and pyannote are imported is set here."""

import importlib
import logging
import os
import sys
import warnings
from typing import cast

from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import SpeechEngine


def open_engine(settings: SpeechSettings | None = None) -> SpeechEngine:
    """The engine as configured. Loads libraries only; models come when first needed, or with `preload`."""
    settings = settings or SpeechSettings()
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # pyannote.audio would tell its makers of every file
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if settings.hf_token:
        os.environ["HF_TOKEN"] = settings.hf_token  # it may come out of a file, where the hub's client does not look
    if not settings.hub:
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyannote warns at length that torchcodec finds no FFmpeg; it is not used
        module = importlib.import_module("tasks.pipeline.whisperx.engine")  # only now: it reads the environment
    quieten()
    _tidy_up()
    return cast("SpeechEngine", module.WhisperXEngine(settings))


def _tidy_up() -> None:
    """Removes a folder that torch makes for remote modules, which nobody uses here: an engine's process is ended by a
    signal, after which nobody would.
    """
    remote = sys.modules.get("torch.distributed.nn.jit.instantiator")
    if remote is not None:
        remote._TEMP_DIR.cleanup()  # noqa: SLF001  there is no other way to it


def quieten() -> None:
    """Lets the libraries' log lines go where ours go, and only those that an operator needs."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "whisperx", "faster_whisper", "transformers"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # they bring handlers of their own, straight to the terminal
        logger.propagate = True
        logger.setLevel(logging.WARNING)
