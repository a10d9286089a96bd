"""Habitat-Sim in a process of its own: `PYTHON worker.py`, in whatever Python has habitat_sim.

This one file is all that runs there: Python 3.7 or newer, numpy and habitat_sim, nothing of AVW. It answers messages on
stdin and stdout (a 4-byte little-endian length, a JSON header, the bytes of the arrays that the header lists), puts
frames into memory that it shares with its parent, and keeps no state but the open scene: every request says where the
agent is, so a worker that died is replaced by another that opens the same scene. Our process may also import the file
and call `Habitat.answer` directly.

Frame: +X right, +Y up, -Z forward, metres, as everywhere. Shapes: H W image · N points · 3 = (x, y, z).
"""

import ctypes
import json
import math
import mmap
import os
import signal
import struct
import sys
import time
from typing import Any

import numpy as np

PROTOCOL = 1
OLDEST = (0, 2, 2)
MAX_HEADER = 1 << 20


class Habitat:
    """The one simulator of a process, and what is asked of it. `answer` raises RefusalError with a sentence."""

    def __init__(self):
        self._sim: Any = None
        self._module: Any = None
        self._frames = None
        self._hearing: Any = None
        self._meshes = {}
        self._lens = None  # (pixels, degrees, metres above the floor point) of the cameras that the simulator has

    def answer(self, header, arrays):
        """(reply, arrays) to one request: `header["do"]` names the method."""
        return getattr(self, "do_" + header["do"])(header, *arrays)

    def do_hello(self, header):
        """Who is here. The import happens now, so that its failure is an answer and not a death."""
        if header["protocol"] != PROTOCOL:
            raise RefusalError("protocol", "it speaks protocol {}, not {}".format(PROTOCOL, header["protocol"]))
        module = self._habitat_sim()
        version = getattr(module, "__version__", "0")
        numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())
        if numbers < OLDEST:
            raise RefusalError("too old", f"it is habitat-sim {version}")
        reply = {
            "protocol": PROTOCOL,
            "version": version,
            "audio": bool(getattr(module, "audio_enabled", False)),
            "python": "{}.{}.{}".format(*sys.version_info[:3]),
        }
        return reply, []

    def do_open(self, header):
        """Load a stage and its navigation mesh.

        stage: path of a .stage_config.json · mesh, stamp: the file that it names, and what changes when that does
        size: pixels · hfov: degrees · camera: metres above the floor point
        navmesh: path, or None: it is computed with `settings` · gpu: device, or -1
        """
        module = self._habitat_sim()
        backend = module.SimulatorConfiguration()
        backend.scene_id = header["stage"]
        backend.gpu_device_id = header["gpu"]
        backend.enable_physics = False
        backend.load_semantic_mesh = False
        backend.create_renderer = True
        agent = module.agent.AgentConfiguration()
        agent.sensor_specifications = [
            self._camera("rgb", module.SensorType.COLOR, header),
            self._camera("depth", module.SensorType.DEPTH, header),
        ]
        configuration = module.Configuration(backend, [agent])
        # It would show an edited file as it remembers it, and a scene that stays through the cameras that it has.
        lens = (header["size"], header["hfov"], header["camera"])
        edited = self._meshes.setdefault(header["mesh"], header["stamp"]) != header["stamp"]
        if edited:
            self._meshes = {header["mesh"]: header["stamp"]}
        if self._sim is not None and (edited or lens != self._lens):
            self._sim.close()
            self._sim = None
        self._lens = lens
        # The first simulator with a camera takes seconds, a new scene in the same one next to nothing.
        if self._sim is None:
            self._sim = module.Simulator(configuration)
        else:
            self._sim.reconfigure(configuration)
        self._frames = None  # pictures of another size lie in other memory
        made = self._navmesh(header["navmesh"], header["settings"])
        return {"navmesh": made, "radius": float(self._pathfinder.nav_mesh_settings.agent_radius)}, []

    def do_look(self, header):
        """What the agent at `position` and `yaw` sees: uint8 (H, W, 3) and float32 (H, W) metres, 0 = nothing hit."""
        self._place(header["position"], header["yaw"])
        seen = self._sim.get_sensor_observations()
        if not header.get("shared"):
            # Copies: Habitat draws its next picture into the same memory.
            return {}, [np.array(seen["rgb"][..., :3], order="C"), np.array(seen["depth"], dtype=np.float32, order="C")]
        rgb_HWC, depth_HW = self._shared(header["shared"], seen["depth"].shape)
        rgb_HWC[...] = seen["rgb"][..., :3]
        depth_HW[...] = seen["depth"]
        return {}, []

    def do_step(self, header):
        """Where a walk from `start` straight to `end` leads, sliding along what is in the way."""
        return {"position": _numbers(self._pathfinder.try_step(_point(header["start"]), _point(header["end"])))}, []

    def do_standing(self, header):
        """Whether a point is on the navigation mesh, and on the same piece of it as `anchor`."""
        point = _point(header["position"])
        standing = bool(self._pathfinder.is_navigable(point, 0.5))
        if standing and header["anchor"] is not None:
            standing = math.isfinite(self._path(point, _point(header["anchor"])).geodesic_distance)
        return {"standing": standing}, []

    def do_path(self, header):
        """The shortest walk: `distance` in metres (None: there is none) and `corners`, the two ends among them."""
        path = self._path(_point(header["start"]), _point(header["end"]))
        if not math.isfinite(path.geodesic_distance):
            return {"distance": None, "corners": []}, []
        return {"distance": float(path.geodesic_distance), "corners": [_numbers(p) for p in path.points]}, []

    def do_obstacle(self, header):
        """Metres from each point (N, 3) to the edge of the navigation mesh, at most `reach`."""
        found = [self._pathfinder.distance_to_closest_obstacle(_point(p), header["reach"]) for p in header["points"]]
        return {"distances": [min(float(d), header["reach"]) for d in found]}, []

    def do_snap(self, header):
        """The nearest point of the navigation mesh; None if there is none nearby."""
        near = _numbers(self._pathfinder.snap_point(_point(header["position"])))
        return {"position": near if all(map(math.isfinite, near)) else None}, []

    def do_floor(self, header):
        """The navigation mesh: float32 (N, 3, 3) triangles, and int32 (N,), the island that each belongs to."""
        vertices_V3 = np.array(self._pathfinder.build_navmesh_vertices(), dtype=np.float32).reshape(-1, 3)
        indices = np.array(self._pathfinder.build_navmesh_vertex_indices(), dtype=np.int64).reshape(-1, 3)
        triangles_N33 = vertices_V3[indices]
        if hasattr(self._pathfinder, "get_island"):
            centres_N3 = triangles_N33.mean(axis=1)
            island_N = np.array([self._pathfinder.get_island(_point(p)) for p in centres_N3], dtype=np.int32)
        else:
            island_N = joined(triangles_N33)
        return {}, [triangles_N33, island_N]

    def do_save_navmesh(self, header):
        """Write the navigation mesh to `path`, in Habitat's own format."""
        return {"saved": bool(self._pathfinder.save_nav_mesh(header["path"]))}, []

    def do_listen(self, header):
        """The last response that the audio sensor gives, float32 (2, S), ear 0 the left; see `Hearing.listen`."""
        if self._hearing is None:
            self._hearing = Hearing(self._habitat_sim())
        return self._hearing.listen(header)

    def close(self):
        """Let go of the scene, of the renderer and of what is heard."""
        if self._sim is not None:
            self._sim.close()
        self._sim = None
        if self._hearing is not None:
            self._hearing.close()
        self._hearing = None

    @property
    def _pathfinder(self):
        return self._sim.pathfinder

    def _habitat_sim(self):
        if self._module is None:
            try:
                # Builds with audio bring a libRLR that exports its own C++ runtime, and abort unless ours comes first.
                ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
            except OSError:
                pass
            try:
                import habitat_sim
            except Exception as error:
                raise RefusalError("import", f"{type(error).__name__}: {error}") from error
            self._module = habitat_sim
        return self._module

    def _camera(self, name, kind, header):
        spec = self._habitat_sim().CameraSensorSpec()
        spec.uuid = name
        spec.sensor_type = kind
        spec.resolution = [header["size"], header["size"]]
        spec.hfov = header["hfov"]
        spec.position = np.array([0.0, header["camera"], 0.0])
        return spec

    def _navmesh(self, path, settings):
        """Where the navigation mesh comes from: "loaded" or "computed". Raises RefusalError for none."""
        if path is not None:
            if not self._pathfinder.load_nav_mesh(path):
                raise RefusalError("navmesh", f"it could not load {path}")
        else:
            module = self._habitat_sim()
            chosen = module.NavMeshSettings()
            chosen.set_defaults()
            for name, value in settings.items():
                setattr(chosen, name, value)
            if not self._sim.recompute_navmesh(self._pathfinder, chosen):
                raise RefusalError("navmesh", "it found no floor to walk on")
        if not self._pathfinder.is_loaded or not self._pathfinder.navigable_area > 0.0:
            raise RefusalError("navmesh", "the navigation mesh {} is empty".format(path or "that it computed"))
        return "computed" if path is None else "loaded"

    def _place(self, position, yaw):
        state = self._module.AgentState()
        state.position = _point(position)
        state.rotation = self._module.utils.common.quat_from_angle_axis(yaw, np.array([0.0, 1.0, 0.0]))
        self._sim.get_agent(0).set_state(state)

    def _path(self, start_3, end_3):
        path = self._module.ShortestPath()
        path.requested_start = start_3
        path.requested_end = end_3
        self._pathfinder.find_path(path)
        return path

    def _shared(self, path, shape):
        """The two pictures in the parent's memory."""
        if self._frames is None or self._frames[0] != path:
            with open(path, "r+b") as file:
                memory = mmap.mmap(file.fileno(), frames_bytes(shape))
            self._frames = (path, frames_in(memory, shape))
        return self._frames[1]


class Hearing:
    """Habitat's audio sensor, in a simulator of its own without cameras: hearing draws nothing, seeing hears nothing.

    Its stage holds what is heard as a semantic mesh, because the sensor takes materials from nowhere else.
    """

    def __init__(self, module):
        if not getattr(module, "audio_enabled", False):
            raise RefusalError("no audio", "habitat-sim {}".format(getattr(module, "__version__", "")))
        self._module = module
        self._bound = module._ext.habitat_sim_bindings  # all versions have the sensor's parts here, and only here
        self._sim: Any = None
        self._sensor: Any = None
        self._stage = None  # the open one
        self._episode = None  # which source the sensor has, and how many answers it has given since
        self._answers = 0

    def listen(self, header):
        """The response at the last of `poses`.

        stage: path of a .stage_config.json · materials: path of RLR's JSON · settings: of its configuration
        episode: names a source (metres) that stands still; each has a sensor of its own, for RLR draws its
        reverberation from a stream that every answer moves on · poses: (N, 4), the centre of the head (metres) and its
        yaw, of which the first is answer number `since` of the episode. `lost`: the answers before it are not known
        here, so that all poses have to be sent again.
        """
        begin = time.process_time()
        if (self._episode, self._answers) != (header["episode"], header["since"]):
            if header["since"] > 0:
                return {"lost": True}, []
            self._place(header)
        for x, y, z, yaw in header["poses"]:
            # Told directly: the sensor's own observation would ask the agent, and differs from version to version.
            self._sensor.setAudioListenerTransform(
                _point([x, y, z]), _point([math.cos(yaw / 2), 0.0, math.sin(yaw / 2), 0.0])
            )
            self._sensor.runSimulation(self._sim)
            self._answers += 1
        heard_ES = np.array(self._sensor.getIR(), dtype=np.float32)
        return {"lost": False, "cpu_seconds": time.process_time() - begin}, [heard_ES]

    def close(self):
        """Let go of the scene."""
        self._sensor = self._episode = self._stage = None
        if self._sim is not None:
            self._sim.close()
        self._sim = None

    def _place(self, header):
        """A new sensor, with the source in front of it."""
        if self._stage != header["stage"]:
            self.close()
            backend = self._module.SimulatorConfiguration()
            backend.scene_id = header["stage"]
            backend.gpu_device_id = -1
            backend.create_renderer = False
            backend.enable_physics = False
            backend.load_semantic_mesh = True
            backend.frustum_culling = False  # it would cut the mesh into pieces
            agent = self._module.agent.AgentConfiguration()
            agent.sensor_specifications = []
            self._sim = self._module.Simulator(self._module.Configuration(backend, [agent]))
            if not self._sim.semantic_scene.objects:
                raise RefusalError("failed", "it loaded no surfaces to hear from {}".format(header["stage"]))
            self._stage = header["stage"]
        root = self._sim.get_active_scene_graph().get_root_node()
        if self._sensor is not None:
            self._sensor = self._episode = None
            self._bound.SensorFactory.delete_subtree_sensor(root, "audio")
        self._sensor = self._bound.SensorFactory.create_sensors(root, [self._spec(header)])["audio"]
        self._sensor.setAudioMaterialsJSON(header["materials"])
        self._sensor.setAudioSourceTransform(_point(header["source"]))
        self._episode, self._answers = header["episode"], 0

    def _spec(self, header):
        spec = self._bound.AudioSensorSpec()
        spec.uuid = "audio"
        spec.outputDirectory = os.path.dirname(header["stage"])  # nothing is written, but it must have one
        config = self._bound.RLRAudioPropagationConfiguration()
        for name, value in header["settings"].items():
            setattr(config, name, value)
        layout = self._bound.RLRAudioPropagationChannelLayout()
        layout.channelType = self._bound.RLRAudioPropagationChannelLayoutType.Binaural
        layout.channelCount = 2
        spec.acousticsConfig = config
        spec.channelLayout = layout
        return spec


class RefusalError(Exception):
    """A request that cannot be met. kind: "import", "too old", "protocol", "navmesh", "no audio", "failed"."""

    def __init__(self, kind, sentence):
        super().__init__(sentence)
        self.kind = kind


def frames_bytes(shape):
    """What a picture of (H, W) pixels takes in shared memory: the colours, and behind them, aligned, the depth."""
    pixels = shape[0] * shape[1]
    return 3 * pixels + -3 * pixels % 4 + 4 * pixels


def frames_in(memory, shape):
    """Views of shared memory: uint8 (H, W, 3) and float32 (H, W)."""
    pixels = shape[0] * shape[1]
    rgb_HWC = np.frombuffer(memory, np.uint8, 3 * pixels).reshape(shape[0], shape[1], 3)
    return rgb_HWC, np.frombuffer(memory, np.float32, pixels, frames_bytes(shape) - 4 * pixels).reshape(shape)


def joined(triangles_N33):
    """int32 (N,): pieces of triangles that share corners, for habitat-sim 0.2.2, which cannot tell its islands."""
    corner_N3 = np.unique(np.round(triangles_N33.reshape(-1, 3), 3), axis=0, return_inverse=True)[1].reshape(-1, 3)
    label_V = np.arange(corner_N3.max() + 1 if len(corner_N3) else 0)
    while True:
        lowest_N = label_V[corner_N3].min(axis=1)
        before_V = label_V.copy()
        np.minimum.at(label_V, corner_N3.ravel(), np.repeat(lowest_N, 3))
        if np.array_equal(before_V, label_V):
            return np.unique(label_V[corner_N3[:, 0]], return_inverse=True)[1].astype(np.int32)


def _point(values):
    return np.array(values, dtype=np.float32)


def _numbers(vector):
    return [float(value) for value in np.array(vector, dtype=np.float64)]


def send(stream, header, arrays=()):
    listed = [{"dtype": array.dtype.str, "shape": list(array.shape)} for array in arrays]
    header = dict(header, arrays=listed)
    text = json.dumps(header).encode("utf-8")
    stream.write(struct.pack("<I", len(text)) + text + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
    stream.flush()


def receive(stream):
    """One message. Raises EOFError where the parent is gone."""
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    if length > MAX_HEADER:
        raise EOFError("no message of ours")
    header = json.loads(_exactly(stream, length).decode("utf-8"))
    arrays = []
    for entry in header.pop("arrays"):
        dtype = np.dtype(entry["dtype"])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        content = _exactly(stream, dtype.itemsize * count)
        arrays.append(np.frombuffer(content, dtype=dtype).reshape(entry["shape"]))
    return header, arrays


def _exactly(stream, count):
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("the parent closed the pipe")
    return content


def main(habitat=None):
    """Serve until stdin closes; habitat: who answers."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]  # our names are not theirs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        # PR_SET_PDEATHSIG: when the parent is gone, Linux ends us even in a call that takes minutes.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (AttributeError, OSError):
        pass
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the libraries print must not end up among the messages
    requests = sys.stdin.buffer
    habitat = habitat or Habitat()
    while True:
        try:
            header, arrays = receive(requests)
        except EOFError:
            return
        try:
            reply, answer = habitat.answer(header, arrays)
        except RefusalError as error:
            reply, answer = {"error": str(error), "kind": error.kind}, []
        except Exception as error:  # whatever habitat_sim raises is an answer too
            reply, answer = {"error": f"{type(error).__name__}: {error}", "kind": "failed"}, []
        send(replies, reply, answer)


if __name__ == "__main__":
    main()
