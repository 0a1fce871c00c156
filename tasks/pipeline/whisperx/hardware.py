"""The hardware to compute on: the operator's choice, or for `auto` what suits the machine."""

from typing import NamedTuple

import ctranslate2
import torch

from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import ModelUnavailable

# The fastest first that loses nothing one hears of; then those that need less memory. Which of them a device computes
# in, CTranslate2 says: a GPU without fast half precision has neither float16 nor int8_float16.
WANTED = {
    "cuda": (("float16", "int8_float16"), ("float32", "int8_float32", "int8")),
    "cpu": (("int8",), ("float32",)),
}
BATCH = {"cuda": 16, "cpu": 8}
# Whisper's decoder makes a token at a time, too little work for the threads of one batch to share: on two cores two
# batches of one thread each take 0.7 of the time of one batch with both. Four at most, since each needs memory.
WORKERS = {"cuda": 1, "cpu": 4}


class Hardware(NamedTuple):
    """The hardware to compute on. A device, the types of numbers to try on it in turn, pieces of 30 s at once,
    processor threads, and how many batches of Whisper share both.
    """

    device: str
    compute_types: tuple[str, ...]
    batch_size: int
    threads: int
    workers: int


def choose(settings: SpeechSettings) -> Hardware:
    """Return what the settings say; raises `ModelUnavailable` for what this machine cannot do."""
    # Both must see the GPU: Whisper runs in CTranslate2, all else in torch, which may have been built without CUDA.
    cuda = ctranslate2.get_cuda_device_count() > 0 and torch.cuda.is_available()
    if settings.device == "cuda" and not cuda:
        raise ModelUnavailable(
            "GRAPHOPHONE_DEVICE is cuda, but no GPU can be used here.",
            "Set it to auto or cpu; or install the GPU's driver and a torch that is built for CUDA.",
        )
    device = "cuda" if cuda and settings.device != "cpu" else "cpu"
    batch_size = settings.batch_size or BATCH[device]
    threads = settings.threads or torch.get_num_threads()
    workers = min(WORKERS[device], threads, batch_size)
    return Hardware(device, _compute_types(device, settings.compute_type), batch_size, threads, workers)


def _compute_types(device: str, wanted: str) -> tuple[str, ...]:
    supported = ctranslate2.get_supported_compute_types(device)
    if wanted not in {"auto", *supported}:
        raise ModelUnavailable(
            f"GRAPHOPHONE_COMPUTE_TYPE is {wanted}, in which this {device} does not compute.",
            f"Set it to auto or one of {', '.join(sorted(supported))}.",
        )
    if wanted != "auto":
        return (wanted,)
    return next(there for kinds in WANTED[device] if (there := tuple(kind for kind in kinds if kind in supported)))
