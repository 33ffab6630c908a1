"""What is an error for want of memory: torch says it in several ways."""

from __future__ import annotations

import torch

# What kernels and libraries say whose errors are plain RuntimeErrors.
_PHRASES = (
    "out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if smaller batches may help.

    >>> is_out_of_memory(torch.cuda.OutOfMemoryError("x")), is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    (True, True)
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _PHRASES)


def release(device: str) -> None:
    """Give memory that no tensor holds back to the device."""
    if device != "cpu" and torch.cuda.is_available():
        torch.cuda.empty_cache()
