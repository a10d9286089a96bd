"""The child process in which RLR-Audio-Propagation lives: `python -m sim_bridge.acoustics.rlr_worker`.

The library aborts where another would raise, and brings its own libstdc++ along; here it can harm nobody. It talks
in messages over stdin and stdout: the length of a JSON header (4 bytes, little endian), the header, then the raw
bytes of the arrays that the header lists. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

MAX_HEADER = 1 << 20


def send(stream: IO[bytes], header: dict[str, Any], *arrays: np.ndarray) -> None:
    """Write one message."""
    listed = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    text = json.dumps({**header, "arrays": listed}).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read one message. Raises EOFError where the other side is gone."""
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    if length > MAX_HEADER:
        raise EOFError("the other side does not speak this protocol")
    header = json.loads(_exactly(stream, length))
    arrays = []
    for entry in header.pop("arrays"):
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        content = _exactly(stream, dtype.itemsize * int(np.prod(shape)))
        arrays.append(np.frombuffer(content, dtype=dtype).reshape(shape))
    return header, arrays


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("the other side closed the pipe")
    return content


class _Room:
    """A scene in RLR. A fresh context for every source: its noise depends on all calls made before."""

    def __init__(self, header: dict[str, Any], vertices_V3: np.ndarray, faces_F3: np.ndarray, surface_F: np.ndarray):
        self._settings: dict[str, Any] = header["settings"]
        self._vertices = vertices_V3.astype(np.float64).ravel().tolist()
        names = [material["name"] for material in header["materials"]]
        self._indices = {
            name: faces_F3[surface_F == index].ravel().tolist()
            for index, name in enumerate(names)
            if (surface_F == index).any()
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False, encoding="utf-8") as file:
            json.dump({"materials": header["materials"]}, file)
        self._materials = Path(file.name)
        self._context: Any = None

    def set_source(self, position: list[float]) -> None:
        import rlr_audio_propagation as rlr

        config = rlr.Config()
        for key, value in self._settings.items():
            setattr(config, key, value)
        context = rlr.Context(config)
        context.set_material_database_json(str(self._materials))
        context.add_object()
        context.add_mesh_vertices(self._vertices)
        for name, indices in self._indices.items():
            context.add_mesh_indices(indices, 3, name)
        context.finalize_object_mesh(0)
        context.add_source()
        context.add_listener(rlr.ChannelLayout(rlr.ChannelLayoutType.Binaural, 2))
        context.set_source_position(0, position)
        self._context = context

    def listen(self, position: list[float], quaternion: list[float]) -> np.ndarray:
        self._context.set_listener_position(0, position)
        self._context.set_listener_orientation_quaternion(0, quaternion)
        self._context.simulate()
        ears = [np.array(self._context.get_ir_channel(0, 0, ear), dtype=np.float32) for ear in range(2)]
        return np.stack(ears)

    def close(self) -> None:
        self._materials.unlink(missing_ok=True)


def main() -> None:
    """Serve one scene until stdin closes."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not end up among the messages
    requests = sys.stdin.buffer
    room: _Room | None = None
    try:
        while True:
            header, arrays = receive(requests)
            if header["do"] == "scene":
                room = _Room(header, *arrays)
                send(replies, {"ok": True})
            elif room is None:
                send(replies, {"error": "no scene was sent yet"})
            elif header["do"] == "source":
                room.set_source(header["position"])
                send(replies, {"ok": True})
            else:
                begin = time.process_time()
                heard_ES = room.listen(header["position"], header["quaternion"])
                send(replies, {"ok": True, "cpu_seconds": time.process_time() - begin}, heard_ES)
    except EOFError:
        pass
    finally:
        if room is not None:
            room.close()


if __name__ == "__main__":
    main()
