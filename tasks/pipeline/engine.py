"""The way into the speech engine: what must be set before torch, WhisperX and pyannote are imported is set here."""

import ctypes
import importlib
import logging
import os
import sys
import warnings
from typing import cast

from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import SpeechEngine

# Of mallopt(3): nothing is mapped outside the heap (M_MMAP_MAX), the heap is not cut short (M_TRIM_THRESHOLD), and the
# threads share one (M_ARENA_MAX).
HEAP = {-4: 0, -1: 2**31 - 1, -8: 1}


def open_engine(settings: SpeechSettings | None = None) -> SpeechEngine:
    """Return the engine as configured. Loads libraries only; models come when first needed, or with `preload`."""
    _hold_memory()
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


def _hold_memory() -> None:
    """Let freed memory stay in the process for the next tensor; it goes when the process does.

    Else glibc returns each large one to the system, which fills every page with zeros when the next is asked for: a
    quarter of the processor's time in a job. C libraries without these options stay as they are.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option, value in HEAP.items():
            library.mallopt(option, value)


def _tidy_up() -> None:
    """Remove a folder that torch makes for remote modules, which nobody uses here: an engine's process is ended by a
    signal, after which nobody would.
    """
    remote = sys.modules.get("torch.distributed.nn.jit.instantiator")
    if remote is not None:
        remote._TEMP_DIR.cleanup()  # noqa: SLF001  there is no other way to it


def quieten() -> None:
    """Let the libraries' log lines go where ours go, and only those that an operator needs."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "whisperx", "faster_whisper", "transformers"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # they bring handlers of their own, straight to the terminal
        logger.propagate = True
        logger.setLevel(logging.WARNING)
