"""AVW: audio-visual world models. Simulate, generate, learn, navigate.

    import avw

    simulator = avw.open_simulator("procedural-0007")          # a house, with RGB-D and binaural sound
    start, source = avw.sample_episode(simulator, seed=0)
    observation = avw.AudioNavTask(simulator).reset(start, source)
    avw.generate("data/mine", scenes="procedural:12")          # a dataset
    dataset = avw.open_dataset("data/mine")                    # dataset[0].rgb, .depth, .audio, .actions …
    avw.train("data/mine", "runs/mine")                        # needs: pip install 'avw[model]'
    future = avw.WorldModel.load("runs/mine").imagine(dataset[0], t=20, actions=[avw.Action.FORWARD] * 8)
    print(avw.run_navigation(["greedy-audio", "my.py:Mine"], scenes="procedural:40-43", episodes=8).report())

Names load when they are first used, so `import avw` takes a few milliseconds. Everything below the four subpackages
is internal and may move. docs/python.md has a program for each task.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from avw._gymnasium import register_with_gymnasium

if TYPE_CHECKING:
    from avw.avw4k.reading.episodes import DatasetEpisode as DatasetEpisode
    from avw.avw4k.reading.episodes import EpisodeDataset as EpisodeDataset
    from avw.avw4k.reading.episodes import open_dataset as open_dataset
    from avw.avw4k.writing.generate_dataset import generate as generate
    from avw.model.evaluation.run import evaluate as evaluate
    from avw.model.hub import from_pretrained as from_pretrained
    from avw.model.hub import push_to_hub as push_to_hub
    from avw.model.imagination import Imagination as Imagination
    from avw.model.imagination import Recording as Recording
    from avw.model.navigation.run_navigation import Navigation as Navigation
    from avw.model.navigation.run_navigation import run_navigation as run_navigation
    from avw.model.policies.registry import Policy as Policy
    from avw.model.train import train as train
    from avw.model.world_model import WorldModel as WorldModel
    from avw.sim_bridge.errors import AvwError as AvwError
    from avw.sim_bridge.rendering.camera import CameraConfig as CameraConfig
    from avw.sim_bridge.rendering.ids import label_image as label_image
    from avw.sim_bridge.rendering.raycast import RayScene as RayScene
    from avw.sim_bridge.rendering.renderer import RenderConfig as RenderConfig
    from avw.sim_bridge.rendering.renderer import Renderer as Renderer
    from avw.sim_bridge.rendering.warp import WarpRenderer as WarpRenderer
    from avw.sim_bridge.scenes.catalogue import load_scene as load_scene
    from avw.sim_bridge.simulators.open_simulator import open_simulator as open_simulator
    from avw.sim_bridge.simulators.protocol import Simulator as Simulator
    from avw.sim_bridge.simulators.protocol import SimulatorConfig as SimulatorConfig
    from avw.sim_bridge.task.env import AudioNavEnv as AudioNavEnv
    from avw.sim_bridge.task.env import make_env as make_env
    from avw.sim_bridge.task.task import AudioNavTask as AudioNavTask
    from avw.sim_bridge.task.task import StepResult as StepResult
    from avw.sim_bridge.task.task import TaskConfig as TaskConfig
    from avw.sim_bridge.task.task import sample_episode as sample_episode
    from avw.sim_bridge.types import Action as Action
    from avw.sim_bridge.types import Observation as Observation
    from avw.sim_bridge.types import Pose as Pose
    from avw.sim_bridge.types import Source as Source

    __version__: str

# Where each public name is defined. The block above says the same to type checkers; a test compares the two.
_DEFINED_IN = {
    "Action": "avw.sim_bridge.types",
    "AudioNavEnv": "avw.sim_bridge.task.env",
    "AudioNavTask": "avw.sim_bridge.task.task",
    "AvwError": "avw.sim_bridge.errors",
    "CameraConfig": "avw.sim_bridge.rendering.camera",
    "DatasetEpisode": "avw.avw4k.reading.episodes",
    "EpisodeDataset": "avw.avw4k.reading.episodes",
    "Imagination": "avw.model.imagination",
    "Navigation": "avw.model.navigation.run_navigation",
    "Observation": "avw.sim_bridge.types",
    "Policy": "avw.model.policies.registry",
    "Pose": "avw.sim_bridge.types",
    "RayScene": "avw.sim_bridge.rendering.raycast",
    "Recording": "avw.model.imagination",
    "RenderConfig": "avw.sim_bridge.rendering.renderer",
    "Renderer": "avw.sim_bridge.rendering.renderer",
    "Simulator": "avw.sim_bridge.simulators.protocol",
    "SimulatorConfig": "avw.sim_bridge.simulators.protocol",
    "Source": "avw.sim_bridge.types",
    "StepResult": "avw.sim_bridge.task.task",
    "TaskConfig": "avw.sim_bridge.task.task",
    "WarpRenderer": "avw.sim_bridge.rendering.warp",
    "WorldModel": "avw.model.world_model",
    "evaluate": "avw.model.evaluation.run",
    "from_pretrained": "avw.model.hub",
    "generate": "avw.avw4k.writing.generate_dataset",
    "label_image": "avw.sim_bridge.rendering.ids",
    "load_scene": "avw.sim_bridge.scenes.catalogue",
    "make_env": "avw.sim_bridge.task.env",
    "open_dataset": "avw.avw4k.reading.episodes",
    "open_simulator": "avw.sim_bridge.simulators.open_simulator",
    "push_to_hub": "avw.model.hub",
    "run_navigation": "avw.model.navigation.run_navigation",
    "sample_episode": "avw.sim_bridge.task.task",
    "train": "avw.model.train",
}

__all__ = [*_DEFINED_IN, "__version__"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name == "__version__":
        value: Any = _version()
    elif name in _DEFINED_IN:
        try:
            value = getattr(importlib.import_module(_DEFINED_IN[name]), name)
        except ModuleNotFoundError as error:
            from avw.sim_bridge.errors import missing_model_extra

            raise missing_model_extra(f"avw.{name}", error) from error
    else:
        raise AttributeError(f"module 'avw' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The installed version; in a checkout that was never installed, the one in pyproject.toml."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("avw")
    except PackageNotFoundError:
        import tomllib
        from pathlib import Path

        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


register_with_gymnasium()
