"""SoundSpaces 2.0's continuous simulator in its own process: `PYTHON soundspaces_worker.py`.

It runs in an environment with SoundSpaces: Python 3.7 or newer, habitat-sim with audio, habitat-lab 0.2.2 and a
checkout of sound-spaces. It uses the protocol of `../habitat/worker.py` and answers the same requests, with the
simulator that SoundSpaces has opened, and in addition `episode`. No file of SoundSpaces is changed. Comments say what
its archived code needs in order to run on a current habitat-sim.

Frame: +X right, +Y up, -Z forward, metres. Shapes: E ears · S samples · H W image · C channels.
"""

import importlib.util
import os
import pickle
import sys
import types
from typing import Any

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "habitat"))
if __name__ == "__main__":
    import worker  # type: ignore[import-not-found]
else:
    from avw.sim_bridge.simulators.habitat import worker

SAMPLE_RATE = 16000  # Hz
STEP_SAMPLES = 2400
FORWARD = 0.15  # metres
TURN = 10  # degrees
FAR = 1000.0  # metres: depth is not clipped
COLLECTION = (
    "avw"  # the folder under data/scene_datasets; SoundSpaces uses the fourth part of a path as the name of the scene
)


class SoundSpaces(worker.Habitat):
    """One `ContinuousSoundSpacesSim`, and the episode in it."""

    def __init__(self):
        super().__init__()
        self._continuous: Any = None  # SoundSpaces' module
        self._sounding: Any = None  # its simulator
        self._config: Any = None
        self._episode = None  # the request, without its actions
        self._done = []  # actions taken in it

    def do_hello(self, header):
        """As without SoundSpaces, with the folder of SoundSpaces."""
        reply, arrays = super().do_hello(header)
        if not reply["audio"]:
            raise worker.RefusalError("soundspaces without audio", "habitat-sim {} has none".format(reply["version"]))
        reply["soundspaces"] = self._import_soundspaces()
        return reply, arrays

    def do_open(self, header):
        """Open a stage at FOLDER/data/scene_datasets/avw/NAME, and its navigation mesh."""
        self._import_soundspaces()
        self.close()
        path = os.path.abspath(header["stage"])
        folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(path))))
        os.chdir(folder)  # SoundSpaces looks for scenes and metadata under the current folder
        _write_metadata(os.path.join("metadata", COLLECTION, os.path.basename(path)))
        self._config = self._configuration(header, os.path.relpath(path, folder))
        self._sounding = _on_any_habitat(self._continuous.ContinuousSoundSpacesSim, self._habitat_sim())(
            self._config.SIMULATOR
        )
        self._sim = self._sounding._sim
        made = self._navmesh(header["navmesh"], header["settings"])
        return {"navmesh": made, "radius": float(self._pathfinder.nav_mesh_settings.agent_radius)}, []

    def do_episode(self, header):
        """The observation after the last of `actions` in an episode. Every request contains the whole episode.

        start: (x, y, z) · rotation: quaternion (x, y, z, w) · goal: 1.5 m under the source · actions: ints
        sound: path of the clip · phase: samples into it at the first observation · key: another one is another episode
        Returns position, rotation, collided; uint8 (H, W, 3), float32 (H, W) metres, float32 (E, S) of one step.
        """
        actions = header["actions"]
        asked = {name: header[name] for name in ("start", "rotation", "goal", "sound", "phase", "key")}
        if asked != self._episode or self._done != actions[: len(self._done)]:
            self._episode = None
            self._begin(asked)
            self._episode, self._done = asked, []
        collided = False
        for action in actions[len(self._done) :]:
            self._seen = self._sounding.step(action)
            # The simulator's `step` never sets its own `previous_step_collided`.
            collided = bool(self._sounding._prev_sim_obs.get("collided", False)) and action != 0
            self._done.append(action)
        # SoundSpaces pads a step's sound with silence to a second.
        audio_ES = np.asarray(self._sounding.get_current_audiogoal_observation(), dtype=np.float32)
        state = self._sounding.get_agent_state()
        turn = state.rotation
        reply = {
            "position": [float(value) for value in state.position],
            "rotation": [float(turn.x), float(turn.y), float(turn.z), float(turn.w)],
            "collided": collided,
        }
        rgb_HWC = np.ascontiguousarray(self._seen["rgb"][..., :3], dtype=np.uint8)
        depth_HW = np.ascontiguousarray(self._seen["depth"][..., 0], dtype=np.float32)
        return reply, [rgb_HWC, depth_HW, np.ascontiguousarray(audio_ES[:, :STEP_SAMPLES])]

    def close(self):
        self._sounding, self._episode = None, None
        super().close()

    def _begin(self, asked):
        self._config.defrost()
        agent = self._config.SIMULATOR.AGENT_0
        agent.START_POSITION, agent.START_ROTATION = asked["start"], asked["rotation"]
        agent.GOAL_POSITION, agent.IS_SET_START_STATE = asked["goal"], True
        agent.SOUND_ID = asked["sound"]
        self._config.freeze()
        # A new acoustic context: otherwise the first responses are smoothed towards the last ones of the previous
        # episode, and the sound depends on earlier episodes.
        self._sim.get_agent(0)._sensors["audio_sensor"].reset()
        self._sounding.reconfigure(self._config.SIMULATOR)
        clip = len(self._sounding.current_source_sound)
        # SoundSpaces draws the first sample from numpy's global generator; here it belongs to the episode.
        self._sounding._current_sample_index = (asked["phase"] - STEP_SAMPLES) % clip
        self._seen = self._sounding.reset()

    def _import_soundspaces(self):
        """Load the one file that holds the simulator; the package's own `__init__` would load its trainers too."""
        module = self._habitat_sim()
        if self._continuous is not None:
            return os.path.dirname(self._continuous.__file__)
        given = os.environ.get("AVW_SOUNDSPACES")
        if given:
            sys.path.insert(1, given)
        found = importlib.util.find_spec("soundspaces")
        if found is None or not found.submodule_search_locations:
            raise worker.RefusalError("soundspaces", "there is no module named soundspaces")
        package = types.ModuleType("soundspaces")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["soundspaces"] = package
        try:
            importlib.import_module("habitat_sim.robots")
        except ImportError:
            # habitat-lab 0.2.2 imports two unused names from it; SoundSpaces' instructions say to delete that line.
            robots: Any = types.ModuleType("habitat_sim.robots")
            robots.FetchRobot = robots.FetchRobotNoWheels = None
            sys.modules["habitat_sim.robots"] = module.robots = robots
        try:
            self._continuous = importlib.import_module("soundspaces.continuous_simulator")
        except Exception as error:
            sys.modules.pop("soundspaces", None)
            raise worker.RefusalError("soundspaces", f"{type(error).__name__}: {error}") from error
        return os.path.dirname(self._continuous.__file__)

    def _configuration(self, header, scene):
        """The settings of SoundSpaces' continuous task (ss_baselines/av_nav/config/default.py), with AVW's steps."""
        from habitat.config import Config
        from habitat.config.default import get_config

        config = get_config()
        config.defrost()
        simulator = config.SIMULATOR
        simulator.TYPE = "ContinuousSoundSpacesSim"
        simulator.SCENE, simulator.SCENE_DATASET = scene, COLLECTION
        simulator.FORWARD_STEP_SIZE, simulator.TURN_ANGLE = FORWARD, TURN
        simulator.STEP_TIME = STEP_SAMPLES / SAMPLE_RATE
        simulator.HABITAT_SIM_V0.GPU_DEVICE_ID = header["gpu"]
        for name in ("RGB_SENSOR", "DEPTH_SENSOR"):
            sensor = getattr(simulator, name)
            sensor.WIDTH = sensor.HEIGHT = header["size"]
            sensor.HFOV = header["hfov"]
            # Tuples: current versions of habitat-sim do not accept lists here.
            sensor.POSITION, sensor.ORIENTATION = (0.0, header["camera"], 0.0), (0.0, 0.0, 0.0)
        depth = simulator.DEPTH_SENSOR
        depth.NORMALIZE_DEPTH, depth.MIN_DEPTH, depth.MAX_DEPTH = False, 0.0, FAR
        agent = simulator.AGENT_0
        agent.SENSORS = ["RGB_SENSOR", "DEPTH_SENSOR"]
        agent.HEIGHT, agent.RADIUS = header["settings"]["agent_height"], header["settings"]["agent_radius"]
        agent.GOAL_POSITION, agent.SOUND_ID = [0.0, 0.0, 0.0], ""
        simulator.AUDIO = Config()
        audio = simulator.AUDIO
        audio.RIR_SAMPLING_RATE, audio.CROSSFADE, audio.EVERLASTING = SAMPLE_RATE, True, True
        audio.SOURCE_SOUND_DIR, audio.METADATA_DIR = "/", "metadata"
        config.freeze()
        return config


def _on_any_habitat(continuous: Any, module):
    """SoundSpaces' simulator, for habitat-sim 0.2.2 and newer: it was written for an earlier branch."""

    class Simulator(continuous):
        def add_acoustic_config(self):
            # The same settings, but in releases the layout's `type` is called channelType.
            spec = module.AudioSensorSpec()
            spec.uuid = "audio_sensor"
            spec.enableMaterials = False
            kind = module.sensor.RLRAudioPropagationChannelLayoutType.Binaural
            setattr(spec.channelLayout, "channelType" if hasattr(spec.channelLayout, "channelType") else "type", kind)
            spec.channelLayout.channelCount = 2
            acoustics = spec.acousticsConfig
            acoustics.sampleRate = self.config.AUDIO.RIR_SAMPLING_RATE
            acoustics.threadCount, acoustics.indirectRayCount = 1, 500
            acoustics.temporalCoherence = acoustics.transmission = True
            self._sim.add_sensor(spec)

        def create_sim_config(self, _sensor_suite):
            configuration = super().create_sim_config(_sensor_suite)
            # habitat-sim has no action "stop"; in AVW it is a step in which the agent stands still.
            stand = module.ActionSpec("move_forward", module.ActuationSpec(amount=0.0))
            configuration.agents[0].action_space[0] = stand
            return configuration

    return Simulator


def _write_metadata(folder):
    """The grid of SoundSpaces 1, which the continuous simulator reads but never uses: two points, no graph."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "points.txt"), "w") as file:
        file.write("0\t0\t0\t0\n1\t0\t0\t0\n")
    with open(os.path.join(folder, "graph.pkl"), "wb") as file:
        pickle.dump({}, file)


if __name__ == "__main__":
    worker.main(SoundSpaces())
