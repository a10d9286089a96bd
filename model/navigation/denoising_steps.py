"""How many network passes a policy takes per prediction: as many as its checkpoint was trained for, or as requested."""

from __future__ import annotations

from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.run_folder import model_file
from avw.sim_bridge.errors import CheckpointError, UsageError

IMAGINING = ("mpc", "gated", "cem", "beam", "acoustic-field", "inverse-dynamics", "oracle-stop")


def denoising_steps(config: NavigateConfig, policy: str) -> int | None:
    """Network passes per prediction of a policy under `config`; None for a policy that imagines nothing.

    Reads the header of the checkpoint only. Raises CheckpointError for one that is missing or damaged.
    """
    if policy not in IMAGINING or config.model_dir is None:
        return None
    if config.denoising_steps is not None:
        return config.denoising_steps
    from avw.model import checkpoint  # with PyTorch, which no other policy needs
    from avw.model.diffusion import DiffusionConfig

    path = model_file(config.model_dir)
    try:
        note = checkpoint.read_note(path)
        return checkpoint.configured(DiffusionConfig, note["diffusion"], "diffusion").network_calls
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise CheckpointError(
            f"{path}: its configuration does not fit this version of AVW ({error}); train again with avw train"
        ) from error
