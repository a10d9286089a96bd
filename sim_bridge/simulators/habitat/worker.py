"""Habitat-Sim in its own process: `PYTHON worker.py`, with the Python that has habitat_sim.

Only this file runs there: it needs Python 3.7 or newer, numpy and habitat_sim, and nothing of AVW. It answers messages
on stdin and stdout (a 4-byte little-endian length, a JSON header, the bytes of the arrays that the header lists), and
puts frames into memory that it shares with its parent. Its only state is the open scene: every request contains the
pose of the agent, so a new worker that opens the same scene can replace one that crashed. AVW's process may also import
this file and call `Habitat.answer` directly.

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
    """The simulator of a process, and its requests. `answer` raises RefusalError with a sentence."""

    def __init__(self):
        self._sim: Any = None
        self._module: Any = None
        self._frames = None
        self._hearing: Any = None
        self._meshes = {}
        self._lens = None  # (pixels, degrees, metres above the floor point) of the cameras of the open simulator

    def answer(self, header, arrays):
        """(reply, arrays) to one request: `header["do"]` names the method."""
        return getattr(self, "do_" + header["do"])(header, *arrays)

    def do_hello(self, header):
        """Versions of this worker. Imports habitat_sim, so that a failure is an answer and not a crash."""
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

        stage: path of a .stage_config.json · mesh, stamp: the file that it names, and its stamp, which changes with it
        size: pixels · hfov: degrees · camera: metres above the floor point
        navmesh: path; None: it is computed with `settings` · gpu: device, or -1
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
        # Habitat keeps the old contents of an edited file, and the old cameras of an open scene.
        lens = (header["size"], header["hfov"], header["camera"])
        edited = self._meshes.setdefault(header["mesh"], header["stamp"]) != header["stamp"]
        if edited:
            self._meshes = {header["mesh"]: header["stamp"]}
        if self._sim is not None and (edited or lens != self._lens):
            self._sim.close()
            self._sim = None
        self._lens = lens
        # Creating a simulator with a camera takes seconds; opening another scene in it takes almost no time.
        if self._sim is None:
            self._sim = module.Simulator(configuration)
        else:
            self._sim.reconfigure(configuration)
        self._frames = None  # images of another size use other memory
        made = self._navmesh(header["navmesh"], header["settings"])
        return {"navmesh": made, "radius": float(self._pathfinder.nav_mesh_settings.agent_radius)}, []

    def do_look(self, header):
        """What the agent at `position` and `yaw` sees: uint8 (H, W, 3) and float32 (H, W) metres, 0 = nothing hit."""
        self._place(header["position"], header["yaw"])
        seen = self._sim.get_sensor_observations()
        if not header.get("shared"):
            # Copies: Habitat renders the next image into the same memory.
            return {}, [np.array(seen["rgb"][..., :3], order="C"), np.array(seen["depth"], dtype=np.float32, order="C")]
        rgb_HWC, depth_HW = self._shared(header["shared"], seen["depth"].shape)
        rgb_HWC[...] = seen["rgb"][..., :3]
        depth_HW[...] = seen["depth"]
        return {}, []

    def do_step(self, header):
        """The end of a walk from `start` straight towards `end`, sliding along obstacles."""
        return {"position": _numbers(self._pathfinder.try_step(_point(header["start"]), _point(header["end"])))}, []

    def do_standing(self, header):
        """Whether a point is on the navigation mesh, and on the same island as `anchor`."""
        point = _point(header["position"])
        standing = bool(self._pathfinder.is_navigable(point, 0.5))
        if standing and header["anchor"] is not None:
            standing = math.isfinite(self._path(point, _point(header["anchor"])).geodesic_distance)
        return {"standing": standing}, []

    def do_path(self, header):
        """The shortest path: `distance` in metres (None: no path) and `corners`, including both ends."""
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
        """Close the scene, the renderer and the audio sensor."""
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
                # Builds with audio abort unless this C++ runtime is loaded before the one in their libRLR.
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
        """Load or compute the navigation mesh: "loaded" or "computed". Raises RefusalError if there is none."""
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
        """The two images in the parent's memory."""
        if self._frames is None or self._frames[0] != path:
            with open(path, "r+b") as file:
                memory = mmap.mmap(file.fileno(), frames_bytes(shape))
            self._frames = (path, frames_in(memory, shape))
        return self._frames[1]


class Hearing:
    """Habitat's audio sensor, in a separate simulator without cameras.

    Its stage contains the scene as a semantic mesh, because the sensor takes materials only from there.
    """

    def __init__(self, module):
        if not getattr(module, "audio_enabled", False):
            raise RefusalError("no audio", "habitat-sim {}".format(getattr(module, "__version__", "")))
        self._module = module
        self._bound = module._ext.habitat_sim_bindings  # the only place that has the sensor in all versions
        self._sim: Any = None
        self._sensor: Any = None
        self._stage = None  # the open one
        self._episode = None  # the source of the sensor, and the number of responses since it was set
        self._answers = 0

    def listen(self, header):
        """The response at the last of `poses`.

        stage: path of a .stage_config.json · materials: path of RLR's JSON · settings: of its configuration
        episode: name of a fixed source (metres); each episode has a new sensor, because RLR draws its reverberation
        from a random stream that advances with every response · poses: (N, 4), the centre of the head (metres) and its
        yaw; the first is response number `since` of the episode. `lost`: this worker does not have the responses before
        it, so all poses must be sent again.
        """
        begin = time.process_time()
        if (self._episode, self._answers) != (header["episode"], header["since"]):
            if header["since"] > 0:
                return {"lost": True}, []
            self._place(header)
        for x, y, z, yaw in header["poses"]:
            # Set directly: the sensor's own observation uses the agent's pose, and differs between versions.
            self._sensor.setAudioListenerTransform(
                _point([x, y, z]), _point([math.cos(yaw / 2), 0.0, math.sin(yaw / 2), 0.0])
            )
            self._sensor.runSimulation(self._sim)
            self._answers += 1
        heard_ES = np.array(self._sensor.getIR(), dtype=np.float32)
        return {"lost": False, "cpu_seconds": time.process_time() - begin}, [heard_ES]

    def close(self):
        """Close the scene."""
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
            backend.frustum_culling = False  # culling would cut the mesh into pieces
            agent = self._module.agent.AgentConfiguration()
            agent.sensor_specifications = []
            self._sim = self._module.Simulator(self._module.Configuration(backend, [agent]))
            if not self._sim.semantic_scene.objects:
                raise RefusalError("failed", "it loaded no acoustic surfaces from {}".format(header["stage"]))
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
        spec.outputDirectory = os.path.dirname(header["stage"])  # nothing is written there, but it must be set
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
    """A request that cannot be answered. kind: "import", "too old", "protocol", "navmesh", "no audio", "failed"."""

    def __init__(self, kind, sentence):
        super().__init__(sentence)
        self.kind = kind


def frames_bytes(shape):
    """Size in shared memory of an image of (H, W) pixels: the colours, then the depth, aligned."""
    pixels = shape[0] * shape[1]
    return 3 * pixels + -3 * pixels % 4 + 4 * pixels


def frames_in(memory, shape):
    """Views of shared memory: uint8 (H, W, 3) and float32 (H, W)."""
    pixels = shape[0] * shape[1]
    rgb_HWC = np.frombuffer(memory, np.uint8, 3 * pixels).reshape(shape[0], shape[1], 3)
    return rgb_HWC, np.frombuffer(memory, np.float32, pixels, frames_bytes(shape) - 4 * pixels).reshape(shape)


def joined(triangles_N33):
    """int32 (N,): components of triangles that share corners, for habitat-sim 0.2.2, which does not number islands."""
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
    """One message. Raises EOFError if the parent has ended."""
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    if length > MAX_HEADER:
        raise EOFError("not a message of AVW")
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
    """Serve until stdin closes. habitat: the object that answers."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [
        entry for entry in sys.path if os.path.abspath(entry or ".") != here
    ]  # this folder's modules must not hide others
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    try:
        # PR_SET_PDEATHSIG: when the parent ends, Linux ends this process too, even in a call that takes minutes.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (AttributeError, OSError):
        pass
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the output of libraries must not mix with the messages
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
        except Exception as error:  # any exception of habitat_sim is an answer too
            reply, answer = {"error": f"{type(error).__name__}: {error}", "kind": "failed"}, []
        send(replies, reply, answer)


if __name__ == "__main__":
    main()
