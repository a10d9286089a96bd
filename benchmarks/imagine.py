"""Cost of imagining futures: `python -m benchmarks.imagine [--quick] [--json]`.

Two networks of the size `nano` imagine the candidates of the planner at the end of the same walk: one grounded in the
RGB-D frames that the agent has seen (prior "memory", with depth and the long memory for sound), and one that turns the
last frame (prior "rotation"), which was the only way before. Weights are random, because they do not change the cost.
One thread. Milliseconds of CPU time, the median of rounds that alternate between the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import click
import numpy as np
import torch

from avw.model.av_cdit import SIZES, AvCdit, AvCditConfig
from avw.model.context import Context, Observer
from avw.model.diffusion import DiffusionConfig
from avw.model.memory.poses import walking_steps, wrapped
from avw.model.priors import planning_size
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.tokenizers.depth import DepthTokenizer
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.weights import init_weights
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import AudioNavTask, sample_episode
from avw.sim_bridge.types import TURN_RADIANS, Action, Observation
from benchmarks.machine import machine, sentence
from benchmarks.rows import alternate
from benchmarks.walks import half_turns

HFOV = 90.0  # degrees
AGES = (12, 8, 5, 3, 1, 0)
PRIORS = ("memory", "rotation")
NEW_STEPS = 5  # actions between two decisions


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """size: pixels of the images · candidates: futures in one batch · context: frames, the newest ones of AGES
    steps: denoising steps"""

    size: int = 128
    candidates: int = 110
    context: int = len(AGES)
    steps: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Milliseconds of CPU time for all candidates of a plan.

    observe: add one observation to what the agent remembers, once per step · encode: the context, once per plan, with
    NEW_STEPS steps since the last plan
    prior: what the visual tokens are given, part of predict · predict: as the planner does, without pixels
    reward_only: the reward from the context alone · decode: images, depth and sound of every candidate, and the
    reprojection in full resolution that they need
    """

    prior_kind: str
    setting: Setting
    observe: float
    encode: float
    prior: float
    predict: float
    reward_only: float
    decode: float

    @property
    def per_candidate(self) -> float:
        """Of a planner that decodes nothing."""
        return (self.encode + self.predict) / self.setting.candidates

    @property
    def per_picture(self) -> float:
        """The same with images and sound."""
        return self.per_candidate + self.decode / self.setting.candidates


Walk = list[tuple[Observation, Action | None]]


@click.command()
@click.option("--scene", default="procedural-0217", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--quick", is_flag=True, help="Small images, few candidates and two rounds: seconds, not minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def imagine(scene: str, quick: bool, as_json: bool) -> None:
    """Measure the cost per imagined candidate by resolution, number of candidates, context and denoising steps."""
    torch.set_num_threads(1)
    base = Setting(size=32, candidates=16) if quick else Setting()
    changes: list[dict[str, int]] = [{"candidates": 1}, {"context": 1}, {"steps": 4}]
    if not quick:
        changes += [{"candidates": 16}, {"size": 64}, {"size": 32}, {"steps": 2}]
    settings = [base, *(replace(base, **change) for change in changes)]
    walks = {size: walk(scene, size, 8 if quick else 40) for size in {setting.size for setting in settings}}
    rows = [cost for setting in settings for cost in costs(setting, walks[setting.size], rounds=2 if quick else 5)]
    if as_json:
        listed = [{**asdict(row), "per_candidate": row.per_candidate, "per_picture": row.per_picture} for row in rows]
        click.echo(json.dumps({"benchmark": "imagine", "machine": machine(), "rows": listed}, indent=1))
        return
    click.echo(table(rows))
    click.echo(f"\nMilliseconds of CPU time, one thread; {sentence(machine())}.")


def walk(scene: str, size: int, steps: int) -> Walk:
    """Observations of a walk through a house, each with the action that led to it."""
    simulator = open_simulator(scene, SimulatorConfig(size=size, hfov=HFOV, emitters=500))
    task = AudioNavTask(simulator)
    start, source = sample_episode(simulator, seed=0)
    found: Walk = [(task.reset(start, source, seed=0), None)]
    for action in half_turns(steps):
        found.append((task.step(action).observation, action))
    simulator.close()
    return found


def costs(setting: Setting, walked: Walk, rounds: int) -> list[Cost]:
    """The cost with each prior, measured alternately."""
    tasks: dict[str, dict[str, Callable[[], object]]] = {
        prior: tasks_of(random_model(walked, prior, setting.context), walked, setting) for prior in PRIORS
    }
    flat = {f"{prior} {name}": task for prior, named in tasks.items() for name, task in named.items()}
    seconds = alternate(flat, rounds)
    found = []
    for prior, named in tasks.items():
        ms = {name: 1000 * seconds[f"{prior} {name}"] for name in named}
        decode = ms.pop("with_pixels") - ms["predict"] + ms.pop("decode")
        ms["observe"] /= len(walked)
        found.append(Cost(prior_kind=prior, setting=setting, decode=decode, **ms))
    return found


def tasks_of(model: WorldModel, walked: Walk, setting: Setting) -> dict[str, Callable[[], object]]:
    """The parts of imagining, each to be called alone."""

    def observed() -> Observer:
        observer = Observer(model.needs)
        for observation, action in walked:
            observer.observe(observation, action)
        return observer

    motion_K3 = spread_motions()
    motion_K3 = motion_K3[np.linspace(0, len(motion_K3) - 1, setting.candidates).round().astype(int)]
    motion = torch.from_numpy(motion_K3)[None]
    offset = torch.from_numpy(walking_steps(motion_K3).round())[None]
    context = observed().context()
    history = model.encode([context])
    contexts = with_new_sounds(context, model.ages)
    decodable = model.predict(history, motion, offset, steps=setting.steps)

    def prior() -> object:
        if context.memory is not None:
            return context.memory.reproject(motion[0].numpy(), size=planning_size(setting.size))
        assert model.rotation is not None
        yaw_U = motion[0, :, 2].unique()
        frames = history.last_rgb_BHWC.expand(len(yaw_U), -1, -1, -1)
        return model.rotation.prior(model.image, frames, yaw_U, model.net.config.latent_channels)

    return {
        "observe": observed,
        "encode": lambda: model.encode([next(contexts)]),
        "prior": prior,
        "predict": lambda: model.predict(history, motion, offset, steps=setting.steps, pixels=False),
        "with_pixels": lambda: model.predict(history, motion, offset, steps=setting.steps),
        "reward_only": lambda: model.predict_reward(history, motion, offset),
        "decode": lambda: model.decode(decodable),
    }


def spread_motions() -> np.ndarray:
    """float32 (K, 3): to the left, to the right, ahead and back, 0.6 to 2.1 m, in steps of 10°."""
    angle = np.repeat(np.arange(-17, 19) * TURN_RADIANS, 3)
    length = np.tile([0.6, 1.2, 2.1], 36)
    return np.stack([length * np.cos(angle), length * np.sin(angle), wrapped(angle)], -1).astype(np.float32)


def with_new_sounds(context: Context, ages: Sequence[int]) -> Iterator[Context]:
    """The context again and again, each time with other sounds in its newest steps."""
    new = np.array(ages) < NEW_STEPS
    while True:
        context = replace(context, audio_TES=context.audio_TES.copy(), sound_MES=context.sound_MES.copy())
        context.audio_TES[new] *= 0.999
        context.sound_MES[:NEW_STEPS] *= 0.999
        yield context


def random_model(walked: Walk, prior: str, context: int) -> WorldModel:
    """A network of the size `nano` with random weights, and tokenizers that have seen the walk."""
    grounded = prior == "memory"
    observations = [observation for observation, _ in walked]
    rgb, depth, audio = (
        torch.from_numpy(np.stack([getattr(observation, name) for observation in observations]))
        for name in ("rgb_HWC", "depth_HW", "audio_ES")
    )
    configs = TokenizerBudget(depth_channels=4 if grounded else 0).configs(rgb.shape[1])
    assert isinstance(configs.image, ImageTokenizerConfig)
    assert isinstance(configs.audio, AudioTokenizerConfig)
    tokenizers = Tokenizers(
        ImageTokenizer.fit(rgb, configs.image, steps=1),
        AudioTokenizer.fit(audio, configs.audio),
        DepthTokenizer.fit(depth, configs.depth) if configs.depth else None,
    )
    side, _, channels = tokenizers.vision_shape
    shape = {
        "latent_size": side,
        "latent_channels": channels,
        "depth_channels": configs.depth.channels if configs.depth else 0,
        "audio_tokens": configs.audio.latent_shape[0],
        "audio_channels": configs.audio.latent_shape[1],
    }
    values = {**SIZES["nano"], **shape, "ages": AGES[-context:]}
    # "rotation_prior" is a field of checkpoints from before the memory: the rest of the network is as it was then.
    net = AvCdit(AvCditConfig(**values) if grounded else AvCditConfig.from_json({**values, "rotation_prior": True}))
    init_weights(net, seed=int(keyed_rng("benchmark", "imagine").integers(2**31)))
    return WorldModel(net, tokenizers, DiffusionConfig(zero_noise=grounded), hfov=HFOV)


def table(rows: list[Cost]) -> str:
    """Markdown: one line per setting and prior."""
    head = ["prior", "pixels", "candidates", "context", "steps", "observe", "encode", "prior, of predict", "predict",
            "reward only", "decode", "per candidate", "with pictures"]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    for row in rows:
        setting = row.setting
        counts = [setting.size, setting.candidates, setting.context, setting.steps]
        ms = [row.observe, row.encode, row.prior, row.predict, row.reward_only, row.decode]
        each = [row.per_candidate, row.per_picture]
        lines.append([row.prior_kind, *map(str, counts), *(f"{x:.1f}" for x in ms), *(f"{x:.2f}" for x in each)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    imagine()
