"""AV-CDiT: a conditional diffusion transformer that predicts future image, sound and reward together.

Shapes: B contexts · K targets per context · P = B·K · T context frames · N tokens · D width · H W C latent image ·
A Da latent audio.

Each modality (vision, audio, reward) has its own adapter, positions, head, and one feed-forward expert per block.
Self-attention and cross-attention are shared (AV-CDiT, arXiv 2512.00883; the CDiT block is that of Navigation World
Models, arXiv 2412.03572). The condition c = emb(motion) + emb(offset) + emb(diffusion step) enters through AdaLN-Zero.
Context frames enter through cross-attention. Their keys and values do not depend on the action, so all K targets or
planner candidates share them.

The reward token attends to vision and audio tokens, but they do not attend to it: predicted images and sound are the
same with and without the reward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from avw.model import checkpoint
from avw.model.cdit import CditBlock, CditCondition
from avw.model.interaural_delay import FEATURES as DELAYS
from avw.model.layers import (
    MOTION_FEATURES,
    Attention,
    Condition,
    Expert,
    Head,
    NarrowExpert,
    applied,
    last_ones,
    mlp,
    modulate,
    motion_features,
    read,
)
from avw.model.reward import COARSE_EDGES, DISTANCE_EDGES, RewardPrediction
from avw.model.sound_memory import SoundHistory, SoundMemory, heard_features
from avw.model.sound_recall import FEATURES as RECALL_FEATURES
from avw.model.sound_recall import Recalled, Rhythm, SoundRecall, rhythm_of
from avw.model.source_belief import FEATURES, SourceBelief, SourceField, belief_features
from avw.sim_bridge.errors import UsageError

MODALITIES = ("vision", "audio", "reward")
PRIORS = ("none", "rotation", "memory")
PRIOR_EXTRA = {"rotation": 3, "memory": 4}
"""Channels of a prior beside its latent: share in view and azimuth (sin, cos); coverage, age and azimuth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AvCditConfig:
    """width, depth, heads: of the transformer · patch: width of a visual token in latent pixels
    ages: age of each context frame in steps, oldest first, ending in 0
    prior: what each visual target token is given of the future that is known without learning.
        "none": nothing, as in the paper · "rotation": the last frame, turned by the commanded yaw, with its viewing
        direction · "memory": the RGB-D frames in the `SpatialMemory`, reprojected to the target pose, with coverage
        and age. Without a prior, a small model uses much of its capacity to learn to move images
    residual: the visual head predicts a correction of the prior, gated by coverage. For prediction of the clean latent
    depth_channels: the last channels of a visual latent that are log depth; 0 for images without depth
    past_motion: give each context frame also its pose relative to the current one. An agent knows its own actions, and
        the direction and level of earlier sound are more informative if the motion since then is known. Not part of the
        paper
    modalities: what the network sees and predicts, of "vision" and "audio". With one of them it is a unimodal model
    experts: one feed-forward network per modality in every block, as in the paper; without them, all share one
    reward_width: numbers per token in which the expert of the reward computes; 0 for the width of the network. There is
        one reward token, whose output has some twenty numbers, so its expert can be narrow
    sound_memory: number of past steps that each have one token with the cues, level and colour of their sound and the
        relative pose; 0 for none. Not part of the paper
    source_belief: the tokens of sound and reward are given where the source is relative to their pose, triangulated
        from the steps of the sound memory; see `source_belief.py`. Not part of the paper
    source_layers: layers of attention between these steps
    sound_recall: the audio tokens are given the last sound and that of past steps at the same phase of a repeating
        source, and the audio head predicts a correction of them; see `sound_recall.py`. Not part of the paper
    cdit: blocks and condition are those of Navigation World Models, to continue from their weights; see `cdit.py`
    motion_unit: metres of one unit of motion of such weights
    interaural_delay: the sound memory also has the evidence for each delay between the ears; see `interaural_delay.py`.
        Not part of the paper
    reward_from_sound: the reward uses observed and imagined sounds and not images. Images identify the houses of the
        training, and a reward that depends on them ranks poses in other houses worse
    distance_edges: bin edges of the reward histogram, metres
    progress_head: the reward output also has a progress of its own; without it, progress follows from the histogram
    learn_variance: the heads also predict the interpolation of the noise variance (Nichol & Dhariwal 2021, as in DiT)
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    mlp_ratio: int = 4
    patch: int = 4
    ages: tuple[int, ...] = (12, 8, 5, 3, 1, 0)
    latent_size: int = 16
    latent_channels: int = 6
    audio_tokens: int = 5
    audio_channels: int = 64
    prior: Literal["none", "rotation", "memory"] = "memory"
    residual: bool = True
    depth_channels: int = 0
    past_motion: bool = True
    modalities: tuple[str, ...] = ("vision", "audio")
    experts: bool = True
    reward_width: int = 0
    sound_memory: int = 64
    source_belief: bool = True
    source_layers: int = 2
    sound_recall: bool = True
    interaural_delay: bool = True
    reward_from_sound: bool = True
    distance_edges: tuple[float, ...] = DISTANCE_EDGES
    progress_head: bool = False
    learn_variance: bool = False
    cdit: bool = False
    motion_unit: float = 1.0

    def __post_init__(self) -> None:
        if self.prior not in PRIORS:
            raise UsageError(f"prior is {self.prior!r}: expected one of {', '.join(PRIORS)}")
        if not self.modalities or not set(self.modalities) <= {"vision", "audio"}:
            raise UsageError(f"modalities are {self.modalities!r}: expected vision, audio or both")
        if self.latent_size % self.patch:
            raise UsageError(
                f"images give latents of {self.latent_size} x {self.latent_size}, which cannot be divided into tokens "
                f"of {self.patch}: choose a --size of the images that is a multiple of {8 * self.patch}"
            )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AvCditConfig:
        """The configuration that a checkpoint stores, of this version or an older one."""
        values = dict(values)
        if "rotation_prior" in values:  # before the memory prior
            older: dict[str, Any] = {"prior": "rotation" if values.pop("rotation_prior") else "none", "residual": False}
            older |= {"sound_memory": 0, "source_belief": False, "reward_from_sound": False, "progress_head": True}
            older["distance_edges"] = COARSE_EDGES
            values = older | values
        # Before the recall of sound, the attention between steps and the delays between the ears:
        absent = {"sound_recall": False, "source_layers": 0, "interaural_delay": False}
        return checkpoint.configured(cls, {**absent, **values}, "net")

    @property
    def context(self) -> int:
        """Number of frames in a context."""
        return len(self.ages)

    @property
    def heard_features(self) -> int:
        """Numbers that describe the sound of each step of the sound memory."""
        return self.audio_channels + self.audio_tokens + (DELAYS if self.interaural_delay else 0)

    @property
    def blind_reward(self) -> bool:
        """Whether the reward does not attend to images."""
        return self.reward_from_sound and "audio" in self.modalities

    @property
    def visual_tokens(self) -> int:
        return (self.latent_size // self.patch) ** 2


# The sizes of NWM (arXiv 2412.03572, Table 8), and a smaller one for laptops.
PAPER: dict[str, Any] = {
    "patch": 2, "ages": (3, 2, 1, 0), "prior": "none", "residual": False, "past_motion": False, "sound_memory": 0,
    "source_belief": False, "sound_recall": False, "reward_from_sound": False,
    "learn_variance": True,
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "nano": {"width": 128, "depth": 4, "heads": 4},
    "S": {"width": 384, "depth": 12, "heads": 6, **PAPER},
    "B": {"width": 768, "depth": 12, "heads": 12, **PAPER},
    "L": {"width": 1024, "depth": 24, "heads": 16, "reward_width": 128, **PAPER},
    "XL": {"width": 1152, "depth": 28, "heads": 16, "reward_width": 128, **PAPER},
}


def size_name(config: AvCditConfig) -> str:
    """The name of the size in `SIZES`, or width, depth and heads of a network of another size."""
    shape = {"width": config.width, "depth": config.depth, "heads": config.heads}
    named = [name for name, values in SIZES.items() if shape == {field: values[field] for field in shape}]
    return named[0] if named else f"of width {config.width}, depth {config.depth} and {config.heads} heads"


def experts_of(config: AvCditConfig) -> nn.ModuleDict:
    """The feed-forward networks of a block, by modality."""
    names = MODALITIES if config.experts else ("shared",)
    experts = nn.ModuleDict({name: Expert(config.width, config.mlp_ratio) for name in names})
    if config.experts and config.reward_width:
        experts["reward"] = NarrowExpert(config.width, config.reward_width, config.mlp_ratio)
    return experts


class Block(nn.Module):
    """Shared self-attention, shared cross-attention to the context, then the expert of each modality."""

    def __init__(self, config: AvCditConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, elementwise_affine=False, eps=1e-6)
        self.self_attention = Attention(config.width, config.heads)
        self.cross_attention = Attention(config.width, config.heads)
        self.context_norm = nn.LayerNorm(config.width)
        self.modulation = nn.Linear(config.width, 6 * config.width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.experts = experts_of(config)

    def context_keys_values(self, context_BND: Tensor) -> tuple[Tensor, Tensor]:
        return self.cross_attention.keys_values(self.context_norm(context_BND))

    def forward(
        self,
        tokens: dict[str, Tensor],
        c_BKD: Tensor,
        context: tuple[Tensor, Tensor],
        hidden: tuple[int, int] = (0, 0),
        wanted: Sequence[str] | None = None,
    ) -> dict[str, Tensor]:
        """tokens: modality → (P, N, D), in the order of MODALITIES; context: keys and values (B, heads, M, D/heads)
        hidden: numbers of the first tokens, and of the first ones of the context, that the reward does not attend to
        wanted: the modalities to return, the last ones of `tokens`; None: all
        """
        B, K, _ = c_BKD.shape
        c_PD = F.silu(c_BKD).flatten(0, 1)
        x_PND = torch.cat(list(tokens.values()), 1)
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c_PD).chunk(6, -1)

        aside = "reward" in tokens and len(tokens) > 1  # the reward token, which is the last one
        normed = modulate(self.norm(x_PND), shift1, scale1)
        first, tokens = last_ones(tokens, wanted)
        among = self.self_attention.among(normed, aside=aside, hidden=hidden[0], first=first)
        x_PND = x_PND[:, first:] + gate1[:, None] * among

        attend = self.cross_attention

        def shared(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q = rearrange(q, "(b k) h n d -> b h (k n) d", b=B, k=K)  # the K targets of a context share its keys
            return rearrange(attend(q, k, v), "b (k n) d -> (b k) n d", k=K)

        q = attend.queries(modulate(self.norm(x_PND), shift2, scale2))
        x_PND = x_PND + gate2[:, None] * read(shared, q, *context, hidden=hidden[1])

        return applied(self.experts, tokens, x_PND, self.norm(x_PND), c_PD)


@dataclass(frozen=True, slots=True)
class EncodedContext:
    """A context, ready for any number of targets. keys_values: for every block · belief: where the source is
    rhythm: the heard sound and its period · images: number of tokens of images, which come first"""

    keys_values: list[tuple[Tensor, Tensor]]
    belief: SourceBelief | None = None
    rhythm: Rhythm | None = None
    images: int = 0


class AvCdit(nn.Module):
    """The network. Call `context` once per observation history, then `forward` for any number of targets."""

    def __init__(self, config: AvCditConfig) -> None:
        super().__init__()
        self.config = config
        self.recompute = False  # keep only the inputs of the blocks for the backward pass
        D, p = config.width, config.patch
        visual, sound = config.latent_channels * p * p, config.audio_channels
        outputs = 2 if config.learn_variance else 1
        self.condition: nn.Module = CditCondition(D, config.motion_unit) if config.cdit else Condition(D)
        block = (lambda: CditBlock(D, config.heads, experts_of(config))) if config.cdit else (lambda: Block(config))
        self.blocks = nn.ModuleList([block() for _ in range(config.depth)])
        self.adapters = nn.ModuleDict(
            {
                "vision": nn.Linear(visual, D),
                "audio": nn.Sequential(nn.Linear(sound, 2 * D), nn.GELU(approximate="tanh"), nn.Linear(2 * D, D)),
            }
        )
        self.positions = nn.ParameterDict(
            {
                "vision": nn.Parameter(0.02 * torch.randn(config.visual_tokens, D)),
                "audio": nn.Parameter(0.02 * torch.randn(config.audio_tokens, D)),
                "reward": nn.Parameter(0.02 * torch.randn(1, D)),
            }
        )
        seen = config.visual_tokens if config.cdit else 1  # CDiT has positions of its own for each context frame
        self.ages = nn.ParameterDict(
            {
                "vision": nn.Parameter(0.02 * torch.randn(config.context, seen, D)),
                "audio": nn.Parameter(0.02 * torch.randn(config.context, 1, D)),
            }
        )
        if config.past_motion:
            self.past = mlp(MOTION_FEATURES, D)
        if config.prior != "none":
            self.prior = nn.Linear((config.latent_channels + PRIOR_EXTRA[config.prior]) * p * p, D)
        if config.residual:
            self.gates = nn.ModuleDict({"vision": Head(D, visual)})
        if config.sound_memory and config.sound_recall:
            self.recall = nn.ModuleDict({"audio": SoundRecall()})
            self.from_recall = nn.ModuleDict({"audio": nn.Linear(2 * sound + RECALL_FEATURES, D)})
            self.recall_gates = nn.ModuleDict({"audio": Head(D, 2 * sound)})
        if config.sound_memory:
            self.sound_memory = nn.ModuleDict({"audio": SoundMemory(config.heard_features, D)})
        if config.sound_memory and config.source_belief:
            self.belief = nn.ModuleDict(
                {"audio": SourceField(config.heard_features, D, layers=config.source_layers, heads=config.heads)}
            )
            self.from_belief = nn.ModuleDict({name: mlp(FEATURES, D) for name in ("audio", "reward")})
        self.heads = nn.ModuleDict(
            {
                "vision": Head(D, outputs * visual),
                "audio": Head(D, outputs * sound),
                "reward": Head(D, int(config.progress_head) + len(config.distance_edges) + 1),
            }
        )

    def patchify(self, latent_PHWC: Tensor) -> Tensor:
        p = self.config.patch
        return rearrange(latent_PHWC, "b (h p) (w q) c -> b (h w) (p q c)", p=p, q=p)

    def unpatchify(self, tokens_PND: Tensor) -> Tensor:
        p, side = self.config.patch, self.config.latent_size // self.config.patch
        return rearrange(tokens_PND, "b (h w) (p q c) -> b (h p) (w q) c", h=side, p=p, q=p)

    def context(
        self,
        vision_BTHWC: Tensor | None,
        audio_BTAD: Tensor | None,
        past_BT3: Tensor,
        sound: SoundHistory | None = None,
    ) -> EncodedContext:
        """Encode a context for every block. One modality may be missing (stages 1 and 2).

        past_BT3: pose of each frame relative to the current pose (forward m, left m, turn rad)
        sound: the past steps of the sound memory
        """
        tokens, images = [], 0
        pose_BT1D = self.past(motion_features(past_BT3))[:, :, None] if self.config.past_motion else 0.0
        if vision_BTHWC is not None and "vision" in self.config.modalities:
            B = vision_BTHWC.shape[0]
            x = self.adapters["vision"](self.patchify(vision_BTHWC.flatten(0, 1)))
            x = rearrange(x, "(b t) n d -> b t n d", b=B) + self.positions["vision"] + self.ages["vision"] + pose_BT1D
            tokens.append(x.flatten(1, 2))
            images = tokens[0].shape[1]
        if audio_BTAD is not None and "audio" in self.config.modalities:
            x = self.adapters["audio"](audio_BTAD) + self.positions["audio"] + self.ages["audio"] + pose_BT1D
            tokens.append(x.flatten(1, 2))
        belief = rhythm = None
        if sound is not None and self.config.sound_memory and "audio" in self.config.modalities:
            if self.config.source_belief:
                belief = self.belief["audio"](heard_features(sound), sound.past_BM3, sound.age_BM)
            if self.config.sound_recall:
                rhythm = rhythm_of(sound)
            tokens.append(self.sound_memory["audio"](sound))
        context_BND = torch.cat(tokens, 1)
        blocks = cast("Iterable[Block]", self.blocks)
        return EncodedContext([block.context_keys_values(context_BND) for block in blocks], belief, rhythm, images)

    def forward(
        self,
        noisy: Mapping[str, Tensor],
        step_BK: Tensor,
        motion_BK3: Tensor,
        offset_BK: Tensor,
        context: EncodedContext,
        *,
        prior_PHWC: Tensor | None = None,
        reward: bool = False,
        only_reward: bool = False,
    ) -> tuple[dict[str, Tensor], RewardPrediction | None]:
        """Predict every modality in `noisy`, and the reward.

        noisy: "vision" (P, H, W, C), "audio" (P, A, Da), both, or neither (the reward from the context alone)
        prior_PHWC: (B·K, H, W, C + PRIOR_EXTRA), see `priors.py`
        only_reward: compute only what the reward depends on, and return no outputs
        Returns outputs with the shapes of `noisy` (twice the channels with learn_variance), and the reward prediction,
        which is None unless `reward` is set.
        """
        B, K = step_BK.shape
        c_BKD = self.condition(motion_BK3, offset_BK, step_BK)
        tokens: dict[str, Tensor] = {}
        recalled: Recalled | None = None
        if "vision" in noisy:
            tokens["vision"] = self.adapters["vision"](self.patchify(noisy["vision"])) + self.positions["vision"]
            if prior_PHWC is not None:
                tokens["vision"] = tokens["vision"] + self.prior(self.patchify(prior_PHWC))
        if "audio" in noisy:
            tokens["audio"] = self.adapters["audio"](noisy["audio"]) + self.positions["audio"]
            if context.rhythm is not None:
                recalled = self.recall["audio"](context.rhythm, motion_BK3, offset_BK)
                features_PAF = recalled.features_PF[:, None].expand(-1, self.config.audio_tokens, -1)
                known_PAX = torch.cat([recalled.audio_PAD, recalled.now_PAD, features_PAF], -1)
                tokens["audio"] = tokens["audio"] + self.from_recall["audio"](known_PAX)
        if reward:
            tokens["reward"] = self.positions["reward"].expand(B * K, -1, -1)
        if context.belief is not None and tokens.keys() & {"audio", "reward"}:
            features_PF = belief_features(context.belief, motion_BK3).flatten(0, 1)
            for name in tokens.keys() & {"audio", "reward"}:
                tokens[name] = tokens[name] + self.from_belief[name](features_PF)[:, None]
        needed = self._needed(list(tokens)) if only_reward else [(list(tokens), None)] * len(self.blocks)
        for block, keys_values, (inputs, wanted) in zip(self.blocks, context.keys_values, needed, strict=True):
            tokens = {name: tokens[name] for name in inputs}
            hidden = (0, 0)
            if reward and self.config.blind_reward:
                hidden = (tokens["vision"].shape[1] if "vision" in tokens else 0, context.images)
            given = (tokens, c_BKD, keys_values, hidden, wanted)
            if self.recompute and torch.is_grad_enabled():
                tokens = recomputed(block, *given, use_reentrant=False, preserve_rng_state=False)
            else:
                tokens = block(*given)

        c_PD = c_BKD.flatten(0, 1)
        if only_reward:
            return {}, self._reward(tokens, c_PD, motion_BK3)
        outputs = {name: self.heads[name](tokens[name], c_PD) for name in noisy}
        if "vision" in outputs:
            outputs["vision"] = self.unpatchify(outputs["vision"])
            if self.config.residual and prior_PHWC is not None:
                C = self.config.latent_channels
                gate = self.unpatchify(self.gates["vision"](tokens["vision"], c_PD))
                # Where everything was seen the gate starts at 0.94, and where nothing was seen at 0.35.
                gate = torch.sigmoid(gate + 3.3 * prior_PHWC[..., C : C + 1] - 0.6)
                outputs["vision"] = outputs["vision"] + gate * prior_PHWC[..., :C]
        if recalled is not None:
            # At first, half of the recalled sound and a tenth of the last one.
            gate, gate_now = self.recall_gates["audio"](tokens["audio"], c_PD).chunk(2, -1)
            known = torch.sigmoid(gate) * recalled.audio_PAD + torch.sigmoid(gate_now - 2.2) * recalled.now_PAD
            variances = outputs["audio"].shape[-1] - known.shape[-1]  # of learn_variance; they follow the means
            outputs["audio"] = outputs["audio"] + F.pad(known, (0, variances))
        return outputs, self._reward(tokens, c_PD, motion_BK3) if reward else None

    def _reward(self, tokens: Mapping[str, Tensor], c_PD: Tensor, motion_BK3: Tensor) -> RewardPrediction:
        out_BKn = self.heads["reward"](tokens["reward"], c_PD)[:, 0].unflatten(0, motion_BK3.shape[:2])
        edges = self.config.distance_edges
        if not self.config.progress_head:
            return RewardPrediction(None, out_BKn, edges)
        # Without displacement there is no progress: the network predicts progress per metre of known displacement.
        displacement_BK = torch.hypot(motion_BK3[..., 0], motion_BK3[..., 1])
        return RewardPrediction(out_BKn[..., 0] * displacement_BK, out_BKn[..., 1:], edges)

    def _needed(self, names: list[str]) -> list[tuple[list[str], list[str] | None]]:
        """For each block, the modalities that it has to read and to return for the sake of the reward, which attends to
        all but what is hidden from it, and to which nothing else attends. In the order of `names`."""
        others = [name for name in names if name != "reward"]
        attended = dict.fromkeys(others, others)
        attended["reward"] = [name for name in names if not (name == "vision" and self.config.blind_reward)]
        needed: list[tuple[list[str], list[str] | None]] = []
        wanted = ["reward"]
        for _ in self.blocks:  # from the last one
            read = [name for name in names if any(name in attended[reader] for reader in wanted)]
            needed.append((read, wanted))
            wanted = read
        return needed[::-1]
