"""Run by an interpreter that has habitat-lab: plays episodes through it and prints what happened, as one JSON document.

python -m tests.sim_bridge.task.habitat_lab.lab_facts BACKEND FOLDER FACT ...
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import avw.sim_bridge.task.habitat_lab  # noqa: F401  (first: it makes habitat importable)

# isort: split
import habitat
import numpy as np
from habitat.gym.gym_definitions import make_gym_from_config
from habitat.tasks.nav.shortest_path_follower import ShortestPathFollower

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.env import AudioNavEnv
from avw.sim_bridge.task.habitat_lab.configs import audionav_config
from avw.sim_bridge.types import SAMPLE_RATE
from tests.sim_bridge.mp3d_tree import mp3d_tree

SCENE = "procedural-0001"
EMITTERS = 1_000
SMALL_CAMERAS = [
    f"habitat.simulator.agents.main_agent.sim_sensors.{camera}_sensor.{side}=64"
    for camera in ("rgb", "depth")
    for side in ("width", "height")
]


def config_of(backend: str, *overrides: str) -> Any:
    name, _, python = backend.partition(":")
    return audionav_config(
        f"habitat.simulator.avw.backend={name}",
        f"habitat.simulator.avw.habitat_python={python or 'null'}",
        f"habitat.simulator.avw.emitters={EMITTERS}",
        "habitat.dataset.scenes=procedural:2",
        "habitat.dataset.episodes_per_scene=2",
        "habitat.environment.iterator_options.shuffle=False",
        *overrides,
    )


def oracle(backend: str, folder: Path) -> dict[str, Any]:
    """Every episode, walked to its end by habitat-lab's own follower."""
    with habitat.Env(config_of(backend)) as env:
        assert env.number_of_episodes == 4
        episodes = [_walk(env) for _ in range(4)]
        again = [_walk(env)]
        return {"episodes": episodes, "first again": again, "actions": list(env.task.actions)}


def _walk(env: habitat.Env) -> dict[str, Any]:
    observations = env.reset()
    follower = ShortestPathFollower(env.sim, 1.0, return_one_hot=False)
    goal = env.current_episode.goals[0].position
    before, metrics, heard, progress, contained = env.get_metrics(), {}, [], 0.0, True
    while not env.episode_over:
        contained &= env.observation_space.contains(dict(observations))
        heard.append(float(np.abs(observations["audiogoal"]).sum()))
        observations = env.step(follower.get_next_action(goal))
        metrics = env.get_metrics()
        progress += metrics["distance_to_goal_reward"]
    return {
        "scene": env.current_episode.scene_id,
        "distance": env.current_episode.info["geodesic_distance"],
        "before": before,
        "after": metrics,
        "progress": progress,
        "contained": contained,
        "heard": heard,
        "shapes": {name: [list(value.shape), str(value.dtype)] for name, value in observations.items()},
    }


def beside(backend: str, folder: Path) -> dict[str, Any]:
    """The same episode through habitat-lab's Gym environment and through avw/AudioNav-v0."""
    config = config_of(
        backend, "habitat.dataset.scenes=procedural-0001", "habitat.dataset.first_episode=5",
        "habitat.dataset.episodes_per_scene=1",
    )  # fmt: skip
    theirs = make_gym_from_config(config)
    ours = AudioNavEnv(SCENE, SimulatorConfig(backend=backend.partition(":")[0], emitters=EMITTERS))
    seen, expected = theirs.reset(), ours.reset(seed=0, options={"episode": 5})[0]
    differences = [_difference(seen, expected)]
    rewards = []
    for action in (2, 2, 1, 1, 1, 3, 1, 0):
        seen, reward, done, _ = theirs.step(action)
        expected, our_reward, terminated, truncated, _ = ours.step(action)
        differences.append(_difference(seen, expected))
        rewards.append([float(reward), our_reward, bool(done), terminated or truncated])
    theirs.close()
    ours.close()
    return {"differences": differences, "rewards": rewards}


def _difference(seen: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> dict[str, float]:
    return {
        "pixels": float((seen["rgb"] != expected["rgb"]).mean()),
        "depth": float(np.abs(seen["depth"][..., 0] - np.clip(expected["depth"], 0.0, 10.0)).mean()),
        "audio": float(np.abs(seen["audiogoal"] - expected["audio"]).max() / np.abs(expected["audio"]).max()),
    }


def questions(backend: str, folder: Path) -> dict[str, Any]:
    """The methods of a simulator that tasks, sensors and measures call."""
    with habitat.Env(config_of(backend)) as env:
        env.seed(3)
        env.reset()
        sim, goal = env.sim, np.array(env.current_episode.goals[0].position)
        start = sim.get_agent_state()
        points = [sim.sample_navigable_point() for _ in range(20)]
        corners = sim.get_straight_shortest_path_points(start.position, goal)
        twin = habitat.Env(config_of(backend))
        twin.seed(3)
        twin.reset()
        undisturbed = [twin.step("turn_left")["audiogoal"], twin.step("move_forward")["audiogoal"]]
        twin.close()
        heard = [env.step("turn_left")["audiogoal"]]
        elsewhere = sim.get_observations_at(points[0], [0.0, 0.0, 0.0, 1.0])
        heard.append(env.step("move_forward")["audiogoal"])
        moved = sim.set_agent_state(points[1], [0.0, math.sin(0.5), 0.0, math.cos(0.5)])
        state = sim.get_agent_state()
        yaw = 2.0 * math.atan2(state.rotation.y, state.rotation.w)
        wall = sim.set_agent_state([1_000.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
        try:
            sim.pathfinder  # noqa: B018
            missing = ""
        except AttributeError as error:
            missing = str(error)
        return {
            "navigable": [sim.is_navigable(point) for point in points],
            "off the floor": [sim.is_navigable([1_000.0, 0.0, 0.0]), wall],
            "again": float(sim.geodesic_distance(start.position, goal)),
            "path": float(sum(np.linalg.norm(b - a) for a, b in itertools.pairwise(corners))),
            "nearest of two": float(sim.geodesic_distance(start.position, [points[0], start.position.tolist()])),
            "nowhere": sim.geodesic_distance(start.position, [1_000.0, 0.0, 0.0]) == math.inf,
            "undisturbed": all(np.array_equal(a, b) for a, b in zip(heard, undisturbed, strict=True)),
            "elsewhere differs": not np.array_equal(elsewhere["rgb"], sim.render("rgb")),
            "moved": [moved, float(np.abs(state.position - points[1]).max()), yaw],
            "clearance": [sim.distance_to_closest_obstacle(np.array(point)) for point in points],
            "missing": missing,
        }  # fmt: skip


def soundspaces(backend: str, folder: Path) -> dict[str, Any]:
    """An episode file in SoundSpaces' format, a scene tree like Matterport3D's, and a folder of sounds."""
    tree = mp3d_tree(folder / "scenes", load_scene(SCENE))
    sounds = folder / "sounds"
    (sounds / "1s_all").mkdir(parents=True, exist_ok=True)
    _write_tone(sounds / "1s_all" / "beep.wav")
    drawn = habitat.make_dataset("AVW-v0", config=config_of(backend, f"habitat.dataset.scenes={SCENE}").habitat.dataset)
    episode = drawn.episodes[0]
    written: dict[str, Any] = {
        "episode_id": "0",
        "scene_id": f"mp3d/{tree.scene}/{tree.scene}.glb",
        "start_position": _lifted(episode.start_position),
        "start_rotation": episode.start_rotation,
        "goals": [{"position": _lifted(episode.goals[0].position), "radius": 1e-05}],
        "info": {"geodesic_distance": episode.info["geodesic_distance"], "num_action": 30, "sound": "beep"},
    }
    _write_episodes(folder, written)
    read = [
        "habitat.dataset.type=PointNav-v1",
        f"habitat.dataset.data_path={folder}/test.json.gz",
        f"habitat.dataset.scenes_dir={folder}/scenes",
    ]
    with habitat.Env(config_of(backend, *read, f"habitat.simulator.sound_root={sounds}")) as env:
        observations = env.reset()
        power_F = np.abs(np.fft.rfft(observations["audiogoal"].sum(axis=0))) ** 2
        peak = float(np.argmax(power_F) * SAMPLE_RATE / observations["audiogoal"].shape[1])
        height = float(env.sim.get_agent_state().position[1])
        facts: dict[str, Any] = {
            "peak": peak,
            "distance": env.get_metrics()["distance_to_goal"],
            "expected": dict(written["info"]),
            "off the floor": height - episode.start_position[1],
        }
    facts["no folder"] = _refusal(lambda: habitat.Env(config_of(backend, *read)).reset())
    # The configuration contains nothing of AVW except the simulator's name.
    plain = ["habitat.simulator.type=AVW-v0", "habitat.simulator.forward_step_size=0.15", *read]
    written["info"]["sound"] = "ring"
    _write_episodes(folder, written)
    with habitat.Env(habitat.get_config("benchmark/nav/pointnav/pointnav_mp3d.yaml", [*plain, *SMALL_CAMERAS])) as env:
        env.reset()
        facts["by name alone"] = env.get_metrics()["distance_to_goal"]
    drawn_there = [f"habitat.dataset.scenes=mp3d:{tree.scene}", f"habitat.simulator.avw.scene_root={tree.root}"]
    with habitat.Env(config_of(backend, *drawn_there)) as env:
        env.reset()
        facts["drawn"] = {"scene": env.current_episode.scene_id, "distance": env.get_metrics()["distance_to_goal"]}
    return facts


def _lifted(position: list[float]) -> list[float]:
    """A height as on a navigation mesh that lies above the floor."""
    return [position[0], position[1] + 0.15, position[2]]


def _write_episodes(folder: Path, *episodes: dict[str, Any]) -> None:
    with gzip.open(folder / "test.json.gz", "wt") as file:
        json.dump({"episodes": episodes}, file)


def _write_tone(path: Path) -> None:
    import soundfile

    soundfile.write(path, 0.3 * np.sin(2.0 * math.pi * 1_000.0 * np.arange(SAMPLE_RATE) / SAMPLE_RATE), SAMPLE_RATE)


def refusals(backend: str, folder: Path) -> dict[str, str]:
    """The error messages for settings that AVW does not support."""
    camera = "habitat.simulator.agents.main_agent.sim_sensors.rgb_sensor"
    asked = {
        "step": "habitat.simulator.forward_step_size=0.25",
        "turn": "habitat.simulator.turn_angle=30",
        "body": "habitat.simulator.agents.main_agent.radius=0.3",
        "oblong": f"{camera}.width=200",
        "camera": f"{camera}.position=[0,0.5,0]",
        "sensor": f"{camera}.type=HabitatSimSemanticSensor",
        "setting": "+habitat.simulator.avw.rays=5",
        "backend": "habitat.simulator.avw.backend=nowhere",
    }
    return {
        name: _refusal(lambda o=override: habitat.Env(config_of(backend, o)).reset())
        for name, override in asked.items()
    }


def _refusal(act: Callable[[], Any]) -> str:
    try:
        act()
    except UsageError as error:
        return str(error)
    return "nothing was refused"


def official(backend: str, folder: Path) -> dict[str, Any]:
    """habitat-lab's own PointNav configuration with AVW as the simulator."""
    config = habitat.get_config(
        "benchmark/nav/pointnav/pointnav_mp3d.yaml",
        [
            "+habitat/simulator=avw", "+habitat/dataset=avw", f"habitat.simulator.avw.backend={backend}",
            "habitat.dataset.scenes=procedural:1", "habitat.dataset.episodes_per_scene=1",
            *SMALL_CAMERAS,
        ],
    )  # fmt: skip
    with habitat.Env(config) as env:
        observations = env.reset()
        distance, angle = (float(value) for value in observations["pointgoal_with_gps_compass"])
        state, goal = env.sim.get_agent_state(), np.array(env.current_episode.goals[0].position)
        return {
            "names": sorted(observations),
            "pointgoal": distance,
            "straight": float(np.linalg.norm(goal - state.position)),
            "angle": angle,
            "size": list(observations["rgb"].shape),
        }


def workers(backend: str, folder: Path) -> dict[str, Any]:
    """The same episodes in two worker processes of habitat-lab and without workers."""
    configs = [config_of(backend, f"habitat.dataset.scenes=procedural-000{number}") for number in range(2)]
    alone = []
    for config in configs:
        env = make_gym_from_config(config)
        alone.append([env.reset()["audiogoal"], env.step(1)[0]["audiogoal"]])
        env.close()
    with habitat.VectorEnv(
        make_env_fn=make_gym_from_config_here, env_fn_args=[(config,) for config in configs]
    ) as envs:
        firsts, seconds = envs.reset(), [outcome[0] for outcome in envs.step([1, 1])]
    together = [[first["audiogoal"], second["audiogoal"]] for first, second in zip(firsts, seconds, strict=True)]
    return {"same": bool(np.array_equal(alone, together)), "differ": not np.array_equal(alone[0], alone[1])}


def make_gym_from_config_here(config: Any) -> Any:
    """A function of a module that imports `avw.sim_bridge.task.habitat_lab`, so that a worker does so too."""
    return make_gym_from_config(config)


FACTS: dict[str, Callable[[str, Path], Any]] = {
    "oracle": oracle,
    "beside": beside,
    "questions": questions,
    "soundspaces": soundspaces,
    "refusals": refusals,
    "official": official,
    "workers": workers,
}


def main(backend: str, folder: Path, names: list[str]) -> None:
    """Print the facts called `names`."""
    print(json.dumps({name: FACTS[name](backend, folder) for name in names}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
