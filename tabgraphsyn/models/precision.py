"""bf16 where a device multiplies in it, float32 everywhere else, and float32 where bf16 would be too coarse."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

# What processors call matrix products in bf16: x86 and ARM.
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")


def multiplies_in_bf16(device: str) -> bool:
    """Return whether a device has bf16 arithmetic; emulated it is slower than float32."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in _INSTRUCTIONS)


def computing(precision: str, device: str) -> AbstractContextManager[object]:
    """Return a context in which networks multiply in ``precision`` (``float32`` or ``bf16``); weights stay float32."""
    if precision == "bf16" and multiplies_in_bf16(device):
        return torch.autocast(device.partition(":")[0], torch.bfloat16)
    return nullcontext()


def exactly(device: str) -> AbstractContextManager[object]:
    """Return a context in float32 inside one of ``computing``: what a small noise level divides needs its digits."""
    return torch.autocast(device.partition(":")[0], enabled=False)
