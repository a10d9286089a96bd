"""Which PyTorch device a command uses."""

from __future__ import annotations

import torch

from avw.sim_bridge.errors import UsageError


def pick_device(device: str) -> str:
    """The PyTorch device; `auto` is the GPU if there is one. Raises UsageError for a device that does not work."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"--device {device}: PyTorch cannot use this device ({str(error).splitlines()[0]}). Try --device cpu"
        ) from error
    return device
