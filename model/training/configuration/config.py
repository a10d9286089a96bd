"""The configuration of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from avw.avw4k.reading.windows import WindowConfig
from avw.model.av_cdit import AvCditConfig
from avw.model.compositor import CompositorConfig
from avw.model.diffusion import DiffusionConfig
from avw.model.tokenizers.budget import TokenizerBudget
from avw.sim_bridge.errors import UsageError

PRECISIONS = ("fp32", "bf16")
RUNNING = frozenset(
    ("save_every", "log_every", "validate_every", "validation_batches", "accumulate", "recompute", "compiler",
     "fused_optimizer", "sharded", "sample_every", "tensorboard", "wandb", "rank_timeout")
)  # fmt: skip
"""Fields that may change when a run is resumed: they do not change the result, except by the order of additions."""
STAGE_MODALITIES = {"1": ("vision",), "2": ("audio",), "3": ("vision", "audio")}
"""What each stage predicts, of the senses that the model has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Configuration of a training run. Batch sizes count contexts; each context has `targets` targets (4, as in NWM).
    They are those of a whole step: all processes and all parts of an accumulated gradient share them.

    sound_contexts: contexts of a batch of stage 2. Sounds have few tokens, so its batches can be larger
    init: "nwm:FILE" starts from a checkpoint of Navigation World Models, see `nwm_import.py`; "" from random weights
    forget: stages 2 and 3 take up to this share of the past steps from the sound memory of a context, at random
    reward_contexts, reward_targets: size of additional batches in stage 3 that contain only the reward token. One token
        per target, instead of a whole image and sound, allows about ten times more targets per step
    futures: whether stage 3 predicts images and sounds; without them, only the reward is trained (a control)
    counterfactual_reward: the targets of these batches are the counterfactual poses of the dataset instead of the
        recorded agent's own futures, if the dataset has them
    counterfactual_targets: number of such poses per context that are also imagined in stage 3, for their reward only
    compositor, compositor_steps, compositor_batch: blending of reprojected and imagined pixels, trained after stage 3
    precision: "bf16" computes the network in bfloat16 (autocast); weights, optimizer and losses stay in float32
    save_every, log_every: steps between checkpoints, and between lines of the log
    validate_every: steps between measurements of the losses on the validation split, which are made at lines of the
        log, and at the lines 1, 2, 4, 8 … of a stage too; 0: never · validation_batches: batches of each measurement
    accumulate: parts in which the batch of a process is computed, one after another. The result is the same, and the
        activations of one part at a time are in memory
    recompute: keep only the inputs of each block for the backward pass, and compute the rest again: less memory, a
        third more time
    compiler: backend of torch.compile for the blocks, e.g. inductor; "" for none
    fused_optimizer: one kernel for the update of all weights. On CUDA devices always
    sharded: several processes share weights, moments and moving average (FSDP2), instead of one copy for each
    sample_every: steps between samples, film strips and sounds of windows of the validation split, which are also made
        at the end of a stage; 0: never
    tensorboard: also write TensorBoard files, if the package is installed · wandb: project at Weights & Biases, or ""
    rank_timeout: seconds after which a process that does not answer ends a training of several processes
    """

    net: AvCditConfig
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    tokenizers: TokenizerBudget = field(default_factory=TokenizerBudget)
    seed: int = 0
    init: str = ""
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
    precision: Literal["fp32", "bf16"] = "fp32"
    save_every: int = 500
    log_every: int = 20
    validate_every: int = 200
    validation_batches: int = 2
    accumulate: int = 1
    recompute: bool = False
    compiler: str = ""
    fused_optimizer: bool = False
    sharded: bool = False
    sample_every: int = 1000
    tensorboard: bool = True
    wandb: str = ""
    rank_timeout: float = 600.0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision is {self.precision!r}: expected one of {', '.join(PRECISIONS)}")
        for name in ("contexts", "sound_contexts", "targets", "save_every", "log_every", "accumulate"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: expected at least 1")

    def contexts_of(self, stage: str) -> int:
        """Contexts in a batch of images and sounds of a stage, over all processes."""
        return self.sound_contexts if stage == "2" else self.contexts

    def predicted(self, stage: str) -> tuple[str, ...]:
        """The modalities that a stage predicts."""
        return tuple(name for name in STAGE_MODALITIES[stage] if name in self.net.modalities)
