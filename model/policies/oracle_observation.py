"""`mpc` with true observations in place of imagined ones: what a perfect imagination would be worth to this reward."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from avw.model.context import Context
from avw.model.memory.free_space import ReachablePoses
from avw.model.pixels import joined
from avw.model.planning.outlook import Outlook, moments, numbers, outlook
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.priors import memory_prior, planning_size
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.simulators.scene_simulator import SceneSimulator
from avw.sim_bridge.types import Observation, moved


class OracleObservationPolicy(MpcPolicy):
    """For every candidate that can be reached, the reward is read from what the simulator shows and plays there at the
    time of arrival. STOP is that of `mpc`. `simulator` has to be that of the episode.
    """

    simulator: Simulator

    def __init__(self, model: Path | str | WorldModel, config: MpcConfig | None = None, device: str = "cpu") -> None:
        super().__init__(model, config, device)
        self.name = "oracle-observation"
        diffusion = self.model.diffusion.config
        if diffusion.zero_noise and diffusion.last_share >= 1:
            raise UsageError(
                f"--policy {self.name} shows the network true images and sounds, and this model was trained to start "
                "from zeros only: train one with --set diffusion.last_share=0.5"
            )

    def predict(self, poses: ReachablePoses) -> Outlook:
        if not isinstance(self.simulator, SceneSimulator):
            raise UsageError(f"--policy {self.name} needs --backend embedded or habitat, which show other poses")
        if self.model.rotation is not None:
            raise UsageError(f"--policy {self.name} is not available for models with net.prior=rotation")
        context = self.observer.context()
        found = outlook(self.model, context, poses.motion_K3, poses.steps_K, denoising_steps=0, seed=0)
        here = self.simulator.pose
        places = [moved(here, *motion_3) for motion_3 in poses.motion_K3.tolist()]
        free = np.flatnonzero([self.simulator.navgrid.is_free(place.position_3) for place in places])
        if len(free):
            seen = [self.simulator.observe_from(places[k], int(poses.steps_K[k])) for k in free]
            motion, offset = torch.from_numpy(poses.motion_K3[free]), torch.from_numpy(poses.steps_K[free])
            true = true_outlook(self.model, context, motion, offset, seen)
            for name in ("distance_K", "variance_K", "success_K"):
                getattr(found, name)[free] = getattr(true, name)
        return found


@torch.inference_mode()
def true_outlook(
    model: WorldModel, context: Context, motion_K3: torch.Tensor, offset_K: torch.Tensor, seen: list[Observation]
) -> Outlook:
    """The outlook of poses whose observations are given instead of imagined: `seen` is read in the pass that would be
    the last one of an imagination. Without an entry for the current pose.
    """
    device, history = model.device, model.encode([context])
    rgb = torch.from_numpy(np.stack([one.rgb_HWC for one in seen])).to(device)
    depth = torch.from_numpy(np.stack([one.depth_HW for one in seen])).to(device) if model.predicts_depth else None
    audio = torch.from_numpy(np.stack([one.audio_ES for one in seen])).to(device)
    latents = {"vision": model.tokenizers.encode_vision(rgb, depth), "audio": model.audio.encode(audio)}
    prior = None
    if history.memories:
        drawn = joined([m.reproject(motion_K3.numpy(), size=planning_size(model.size)) for m in history.memories])
        prior = memory_prior(model.tokenizers, drawn, motion_K3[:, 2].to(device), model.hfov)
    _, reward = model.net(
        {name: latents[name] for name in model.net.config.modalities}, torch.zeros(1, len(seen), device=device),
        motion_K3[None].to(device), offset_K[None].to(device).float(), history.context, prior_PHWC=prior, reward=True,
    )  # fmt: skip
    distance, variance = moments(reward)
    c = model.calibration
    return Outlook(*(numbers([part]) for part in (distance, variance, reward.success_BK(c.temperature, c.bias))))
