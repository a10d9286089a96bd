"""A policy in the manner of AFP (arXiv 2405.02821): predict how loud it is around the agent, and walk to the peak.

AFP learns to predict the acoustic field on a grid around the agent from what it sees and hears. Here the world model
imagines the sound at every place that can be reached; everything else is the planner of `mpc`. The predicted reward is
not used, so the difference between the two policies is what the reward adds to the sound.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from avw.model.memory.free_space import ReachablePoses
from avw.model.planning.outlook import Outlook
from avw.model.policies.mapping_audio import MappingAudioConfig
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

FARTHEST = 20.0  # metres; quieter places are not farther


class AcousticFieldPolicy(MpcPolicy):
    """Levels become distances by the law of the direct sound: 6 dB less per doubling, 0 dB at 1 m.

    The rule for STOP is that of `mapping-audio`: loud, and most of the sound from one direction.
    """

    def __init__(self, model: Path | str | WorldModel, config: MpcConfig | None = None, device: str = "cpu") -> None:
        super().__init__(model, config, device)
        self.name = "acoustic-field"
        if not self.model.hears:
            raise UsageError("the policy acoustic-field needs a model that predicts sound, and this one predicts none")

    def predict(self, poses: ReachablePoses) -> Outlook:
        """Distances that explain the imagined levels, and the distance that explains the level heard here."""
        rule = MappingAudioConfig()
        here = self.hearing.level_db - rule.clip_rms_db
        there_K = np.zeros(0)
        if len(poses):
            seed = int(keyed_rng(self.seed, self.name, self.decisions).integers(2**31))
            motion, offset = torch.from_numpy(poses.motion_K3)[None], torch.from_numpy(poses.steps_K)[None]
            imagined = self.model.predict(
                self.model.encode([self.observer.context()]), motion, offset, steps=self.config.denoising_steps,
                seed=seed, pixels=False,
            )  # fmt: skip
            there_K = loudness(self.model, imagined.latents["audio"]) - rule.clip_rms_db
        metres_K = np.clip(10.0 ** (-np.append(there_K, here) / 20.0), 0.1, FARTHEST)
        stops = here > rule.stop_db and self.hearing.directness > rule.stop_directness
        success_K = np.append(np.zeros(len(there_K)), float(stops))
        return Outlook(metres_K, np.square(0.25 * metres_K), success_K)


def loudness(model: WorldModel, latent_PAD: torch.Tensor) -> np.ndarray:
    """float64 (P,): the level of imagined sounds, dB relative to an RMS of 1; the loudest of the tokens of a step.

    The level is a number of a token, so no sound has to be decoded.
    """
    level_PA = model.audio.levels(latent_PAD)
    return np.asarray(level_PA.amax(-1).double().cpu()) + 20.0 * math.log10(model.audio.config.full_scale)
