"""The child process that runs RLR-Audio-Propagation: `python -m avw.sim_bridge.acoustics.rlr_worker`.

The library aborts the process instead of raising errors, and it loads its own libstdc++, so it is isolated here.
Requests and replies are `avw.sim_bridge.process.messages` over stdin and stdout; the library's output goes to stderr.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np

from avw.sim_bridge.process.messages import receive, send

LAYOUTS = {"binaural": ("Binaural", 2), "mono": ("Mono", 1)}  # our name → RLR's channel layout and number of channels


class _Room:
    """A scene in RLR.

    Every source gets a new context for each layout that is requested. RLR's reverberation uses random numbers from a
    stream that each response advances; with a new context and one thread, the same calls in the same order give the
    same bits.
    """

    def __init__(self, header: dict[str, Any], vertices_V3: np.ndarray, faces_F3: np.ndarray, surface_F: np.ndarray):
        self._settings: dict[str, Any] = header["settings"]
        self._materials: str = header["materials"]
        self._vertices = vertices_V3.astype(np.float64).ravel().tolist()
        self._indices = {
            name: faces_F3[surface_F == index].ravel().tolist()
            for index, name in enumerate(header["names"])
            if (surface_F == index).any()
        }
        self._source: list[float] = []
        self._contexts: dict[str, Any] = {}

    def set_source(self, position: list[float]) -> None:
        self._source = position
        self._contexts.clear()
        self._context("binaural")

    def listen(self, layout: str, position: list[float], quaternion: list[float]) -> np.ndarray:
        context = self._context(layout)
        context.set_listener_position(0, position)
        context.set_listener_orientation_quaternion(0, quaternion)
        context.simulate()
        channels = LAYOUTS[layout][1]
        return np.stack([np.array(context.get_ir_channel(0, 0, ear), dtype=np.float32) for ear in range(channels)])

    def _context(self, layout: str) -> Any:
        if layout in self._contexts:
            return self._contexts[layout]
        import rlr_audio_propagation as rlr

        config = rlr.Config()
        for key, value in self._settings.items():
            setattr(config, key, value)
        context = rlr.Context(config)
        context.set_material_database_json(self._materials)
        context.add_object()
        context.add_mesh_vertices(self._vertices)
        for name, indices in self._indices.items():
            context.add_mesh_indices(indices, 3, name)
        context.finalize_object_mesh(0)
        context.add_source()
        kind, channels = LAYOUTS[layout]
        context.add_listener(rlr.ChannelLayout(getattr(rlr.ChannelLayoutType, kind), channels))
        context.set_source_position(0, self._source)
        self._contexts[layout] = context
        return context


def main() -> None:
    """Serve one scene until stdin closes."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keep the library's output out of the messages
    requests = sys.stdin.buffer
    room: _Room | None = None
    while True:
        try:
            header, arrays = receive(requests)
        except EOFError:
            return
        begin = time.process_time()
        answer: list[np.ndarray] = []
        if header["do"] == "scene":
            room = _Room(header, *arrays)
        elif room is None:
            send(replies, {"error": "no scene has been sent yet"})
            continue
        elif header["do"] == "source":
            room.set_source(header["position"])
        else:
            answer.append(room.listen(header["layout"], header["position"], header["quaternion"]))
        send(replies, {"cpu_seconds": time.process_time() - begin}, *answer)


if __name__ == "__main__":
    main()
