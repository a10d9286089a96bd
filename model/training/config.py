"""The configuration of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field

from avw.avw4k.reading.windows import WindowConfig
from avw.model.av_cdit import AvCditConfig
from avw.model.compositor import CompositorConfig
from avw.model.diffusion import DiffusionConfig
from avw.model.tokenizers.fit import TokenizerBudget


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Configuration of a training run. Batch sizes count contexts; each context has `targets` targets (4, as in NWM).

    sound_contexts: contexts of a batch of stage 2. Sounds have few tokens, so its batches can be larger
    forget: stages 2 and 3 take up to this share of the past steps from the sound memory of a context, at random
    reward_contexts, reward_targets: size of additional batches in stage 3 that contain only the reward token. One token
        per target, instead of a whole image and sound, allows about ten times more targets per step
    futures: whether stage 3 predicts images and sounds; without them, only the reward is trained (a control)
    counterfactual_reward: the targets of these batches are the counterfactual poses of the dataset instead of the
        recorded agent's own futures, if the dataset has them
    counterfactual_targets: number of such poses per context that are also imagined in stage 3, for their reward only
    compositor, compositor_steps, compositor_batch: blending of reprojected and imagined pixels, trained after stage 3
    """

    net: AvCditConfig
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    tokenizers: TokenizerBudget = field(default_factory=TokenizerBudget)
    seed: int = 0
    # optimisation
    steps: dict[str, int] = field(default_factory=lambda: {"1": 1200, "2": 500, "3": 600})
    contexts: int = 8
    sound_contexts: int = 16
    targets: int = 4
    learning_rate: float = 1e-3
    warmup: int = 100
    decay: bool = True  # cosine, to 0.1 % of the rate; NWM uses a constant rate
    clip: float = 10.0
    ema: float = 0.998
    mirror: bool = True
    forget: float = 0.8
    # reward
    reward_contexts: int = 32
    reward_targets: int = 16
    progress_weight: float = 1.0
    distance_weight: float = 0.25
    source_weight: float = 0.5  # of the belief about the position of the source, whose true position the dataset has
    futures: bool = True
    counterfactual_reward: bool = True
    counterfactual_targets: int = 1
    imagined_weight: float = (
        0.5  # of the reward predicted beside noisy tokens; the reward from the context alone has weight 1
    )
    # pixels
    compositor: CompositorConfig = field(default_factory=CompositorConfig)
    compositor_steps: int = 300
    compositor_batch: int = 12
    # running
    save_every: int = 500
    log_every: int = 20
