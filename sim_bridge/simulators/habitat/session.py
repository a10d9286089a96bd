"""Habitat-Sim for this process: in this interpreter, or in a supervised child with this or another interpreter."""

from __future__ import annotations

import atexit
import ctypes
import logging
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.errors import AvwError, BackendError, SceneError
from avw.sim_bridge.process.child import Child, ChildError
from avw.sim_bridge.simulators.habitat import remedies
from avw.sim_bridge.simulators.habitat.worker import PROTOCOL, Habitat, RefusalError, frames_bytes, frames_in

IN_PROCESS = "in-process"
WORKER = Path(__file__).with_name("worker.py")
_RESTARTS = 3  # crashes in a row on one request, after which the request is taken for the cause
_OPENING = 600.0  # seconds: a scan of a million triangles on a machine without a graphics card
_ANSWERING = 120.0
_MAX_READ = 1 << 29  # bytes of mesh files: a few scans, which take several times as much memory
_Answer = tuple[dict[str, Any], list[np.ndarray]]
_ENDED_FROM_OUTSIDE = ("signal 9", "signal 15", "signal 2", "signal 1")
_PRINTING = ("hello", "open", "listen")  # requests during which the libraries print to stdout
_log = logging.getLogger("avw.habitat")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A scene as Habitat opens it. stage: a .stage_config.json · navmesh: None: it is computed

    mesh, stamp: the file that `stage` names, and its stamp, which changes with the file
    size: pixels · hfov: degrees · camera: metres above the floor point · settings: of the navigation mesh
    keeps: an object that must live as long as the stage may be opened, such as its files
    """

    scene_id: str
    stage: str
    mesh: str
    stamp: tuple[int, int] | None
    navmesh: str | None
    settings: dict[str, float | bool]
    size: int
    hfov: float
    camera: float
    keeps: object = field(default=None, compare=False, repr=False)

    def request(self, gpu: int) -> dict[str, Any]:
        named = ("stage", "mesh", "stamp", "navmesh", "settings", "size", "hfov", "camera")
        return {"do": "open", "gpu": gpu, **{name: getattr(self, name) for name in named}}


class Session:
    """Habitat-Sim in one interpreter. Its only state is the open stage, so a crash loses nothing.

    python: a path, or IN_PROCESS · script: the worker that runs there
    A child that crashes, hangs or is stopped is replaced; the new one opens the stage and gets the request again. The
    third crash on one request raises BackendError with its last output. `restarts` counts them.
    """

    def __init__(self, python: str, script: Path = WORKER) -> None:
        self.python = python
        self._script = script
        self.restarts = 0
        self.opened: dict[str, Any] = {}
        self._stage: Stage | None = None
        self._local: Habitat | None = None
        self._child: Child | None = None
        self._frames: tuple[str, mmap.mmap, int] | None = None
        self._read: dict[str, int] = {}
        self._gpu = 0 if Path("/dev/nvidia0").exists() or Path("/dev/nvidiactl").exists() else -1
        self.hello = self._first_start()

    @property
    def pid(self) -> int:
        """The process that Habitat runs in."""
        return self._child.pid if self._child is not None else os.getpid()

    def open(self, stage: Stage) -> dict[str, Any]:
        """Open a stage unless it is open already; returns the worker's reply."""
        self._retried(stage, lambda: ({}, []))
        return self.opened

    def ask(self, stage: Stage, do: str, *arrays: np.ndarray, **fields: Any) -> _Answer:
        """The answer to a request about a stage, which is opened first if necessary."""
        return self._retried(stage, lambda: self._exchange({"do": do, **fields}, *arrays))

    def listen(self, scene_id: str, **fields: Any) -> _Answer:
        """The answer of the audio sensor (`worker.Hearing.listen`), which has its own simulator and needs no stage."""
        request = {"do": "listen", **fields}
        return self._retried(None, lambda: self._exchange(request, patience=_OPENING), scene_id)

    def look(self, stage: Stage, position_3: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        """What a camera above a floor point sees: uint8 (H, W, 3), and float32 (H, W) metres, 0 = nothing hit."""
        where = {"do": "look", "position": [float(v) for v in position_3], "yaw": float(yaw)}
        if self._local is not None:
            rgb_HWC, depth_HW = self._retried(stage, lambda: self._exchange(where))[1]
            return rgb_HWC, depth_HW
        path, memory = self._shared_memory((stage.size, stage.size))
        self._retried(stage, lambda: self._exchange({**where, "shared": path}))
        rgb_HWC, depth_HW = frames_in(memory, (stage.size, stage.size))
        return rgb_HWC.copy(), depth_HW.copy()

    def close(self) -> None:
        """End the child, or close the simulator of this process."""
        self._stage = None
        child, self._child = self._child, None
        if child is not None:
            child.close()
        if self._local is not None:
            self._local.close()
        self._forget_frames()

    def _first_start(self) -> dict[str, Any]:
        """As `_start`; a child that somebody ended before its first reply is replaced."""
        for attempt in range(1, _RESTARTS + 1):
            try:
                return self._start()
            except ChildError as error:
                ended = error.how in _ENDED_FROM_OUTSIDE
                if not ended or attempt == _RESTARTS:
                    raise BackendError(remedies.no_hello(self.python, error.how, error.words)) from error
                self.restarts += 1
                _log.warning("Habitat-Sim %s before its first reply; it is restarted", remedies.ended(error.how))
        raise AssertionError

    def _start(self) -> dict[str, Any]:
        """Start Habitat without a scene; returns its first reply."""
        self._read = {}
        if self.python == IN_PROCESS:
            self._local = Habitat()
        else:
            try:
                self._child = Child((self.python, str(self._script)), _environment())
            except OSError as error:
                raise BackendError(remedies.no_python(self.python, error)) from error
        try:
            return self._exchange({"do": "hello", "protocol": PROTOCOL})[0]
        except ChildError:
            self._child = None
            raise
        except BackendError:
            self.close()
            raise

    def _open(self, stage: Stage) -> None:
        self._stage = None
        if self._child is not None and stage.mesh not in self._read and sum(self._read.values()) > _MAX_READ:
            self._child.close()  # Habitat keeps every mesh that it has read until it ends
            self._child = None
            self._start()
        self.opened = self._exchange(stage.request(self._gpu), patience=_OPENING, scene=stage.scene_id)[0]
        self._stage = stage
        self._read[stage.mesh] = Path(stage.mesh).stat().st_size

    def _retried(self, stage: Stage | None, request: Callable[[], _Answer], scene_id: str = "") -> _Answer:
        """The answer to a request in the open stage, from a new child if necessary (not with IN_PROCESS)."""
        scene_id = scene_id if stage is None else stage.scene_id
        for attempt in range(1, _RESTARTS + 1):
            try:
                if self._child is None and self._local is None:
                    self._start()
                if stage is not None and self._stage != stage:
                    self._open(stage)
                return request()
            except ChildError as error:
                last = error
                self._child, self._stage = None, None
                self.restarts += 1
                if error.hopeless:
                    break
                if attempt < _RESTARTS:
                    how = remedies.ended(error.how)
                    _log.warning("Habitat-Sim %s in scene %r%s; it is restarted", how, scene_id, error.words)
        raise BackendError(remedies.died(self.python, scene_id, last.how, last.words, attempt)) from last

    def _exchange(
        self, header: dict[str, Any], *arrays: np.ndarray, patience: float = _ANSWERING, scene: str = ""
    ) -> _Answer:
        if self._local is not None:
            try:
                with _stdout_aside() if header["do"] in _PRINTING else nullcontext():
                    return self._local.answer(header, list(arrays))
            except RefusalError as error:
                raise self._refusal(scene, error.kind, str(error)) from error
            except Exception as error:  # whatever habitat_sim raises
                raise self._refusal(scene, "failed", f"{type(error).__name__}: {error}") from error
        assert self._child is not None
        reply, answer = self._child.ask(header, *arrays, patience=patience)
        if "error" in reply:
            raise self._refusal(scene, reply.get("kind", ""), reply["error"])
        return reply, answer

    def _refusal(self, scene: str, kind: str, said: str) -> AvwError:
        if kind == "navmesh":
            return SceneError(remedies.no_navmesh(scene, said))
        return BackendError(remedies.refused(self.python, kind, said))

    def _shared_memory(self, shape: tuple[int, int]) -> tuple[str, mmap.mmap]:
        count = frames_bytes(shape)
        if self._frames is not None and len(self._frames[1]) == count:
            return self._frames[:2]
        self._forget_frames()
        # A file without a name, which the child opens through this process: it is freed when both have ended.
        descriptor = os.memfd_create("avw-frames")
        os.ftruncate(descriptor, count)
        self._frames = (f"/proc/{os.getpid()}/fd/{descriptor}", mmap.mmap(descriptor, count), descriptor)
        return self._frames[:2]

    def _forget_frames(self) -> None:
        if self._frames is not None:
            self._frames[1].close()
            os.close(self._frames[2])
            self._frames = None


@contextmanager
def _stdout_aside() -> Iterator[None]:
    """Redirect the output of C and C++ to stderr, because stdout is for the results of a command."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def find_python(asked: str | None) -> str:
    """The interpreter for Habitat: `asked`, else $AVW_HABITAT_PYTHON, else this one."""
    chosen = asked or os.environ.get("AVW_HABITAT_PYTHON") or sys.executable
    if chosen == IN_PROCESS:
        return chosen
    return shutil.which(chosen) or str(Path(chosen).expanduser())


_sessions: dict[tuple[int, str, Path], Session] = {}


def open_session(python: str | None = None, script: Path = WORKER) -> Session:
    """The session of this process with an interpreter; started once. Raises BackendError without Habitat-Sim."""
    key = (os.getpid(), find_python(python), script)  # a forked child must not share its parent's pipes
    if key not in _sessions:
        _sessions[key] = Session(key[1], script)
    return _sessions[key]


@atexit.register
def close_sessions() -> None:
    """End every child of this process."""
    for key in [key for key in _sessions if key[0] == os.getpid()]:
        _sessions.pop(key).close()


def _environment() -> dict[str, str]:
    """The environment without variables that would confuse another interpreter, and with Habitat's log turned off."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    return {"MAGNUM_LOG": "quiet", "HABITAT_SIM_LOG": "quiet", "GLOG_minloglevel": "2", **kept}
