"""An exhausted memory: each library says it in its own words, and each time less at once may do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Scores = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
MARKS = (
    "out of memory",  # torch: “CUDA out of memory”; CTranslate2: “CUDA failed with error out of memory”
    "failed to allocate",  # onnxruntime
    "not enough memory",  # torch on a processor
    "can't allocate memory",
    "bad_alloc",
    "cudamalloc",
    "alloc_failed",  # cuBLAS and cuDNN: CUBLAS_STATUS_ALLOC_FAILED
)


def spent(error: BaseException) -> bool:
    """Return whether an error of torch, CTranslate2 or onnxruntime means that memory is spent."""
    return isinstance(error, MemoryError) or any(mark in str(error).lower() for mark in MARKS)


def give_back() -> None:
    """Return what torch keeps for itself of the GPU's memory, so that the other libraries can have it."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def sparingly(model: Callable[[torch.Tensor], Any], chunks: torch.Tensor) -> Scores:
    """Return what the model says of each chunk: of all at once, or, where memory does not suffice, of halves."""
    try:
        return np.asarray(model(chunks))
    except Exception as error:
        if not spent(error):
            raise
        if len(chunks) == 1:
            raise MemoryError from error
    give_back()
    half = len(chunks) // 2
    return np.concatenate([sparingly(model, chunks[:half]), sparingly(model, chunks[half:])])
