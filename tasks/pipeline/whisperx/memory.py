"""Tell an exhausted memory from other failures: each library says it in its own words."""

MARKS = ("out of memory", "failed to allocate", "bad_alloc", "cudamalloc", "cublas_status_alloc_failed")


def spent(error: BaseException) -> bool:
    """Whether an error of torch, CTranslate2 or onnxruntime means that memory is spent."""
    return isinstance(error, MemoryError) or any(mark in str(error).lower() for mark in MARKS)
