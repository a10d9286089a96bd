"""Embree called from Numba: the library in embreex, one device per process, ray trees, and packets of sixteen rays.

embreex only binds Embree's functions for single rays. Its wheel contains the whole library, so the functions for
packets are looked up there and declared to Numba by name. The rays of an image are neighbours, and Embree traces
sixteen of them together in a third of the time. Reference: the Embree 4 API documentation (RTCRayHit16,
RTCIntersectArguments).
"""

from __future__ import annotations

import ctypes
import weakref
from functools import lru_cache

import llvmlite.binding as llvm
import numpy as np
from numba import njit, types

from avw.sim_bridge.errors import BackendError, SceneError

LANES = 16
NEVER = 1e37  # the distance of a ray that hits nothing

# Word offsets in a packet (RTCRayHit16): every field holds its sixteen lanes in a row. The fields between those named
# here are the nearest distance, time, mask, id and flags of the rays, and the geometry and instance of the hits.
ORIGIN, DIRECTION, FAR, NORMAL, U, V, FACE = (LANES * field for field in (0, 4, 8, 12, 15, 16, 17))
PACKET_WORDS = 21 * LANES

COHERENT = 1 << 16  # RTC_RAY_QUERY_FLAG_COHERENT
INCOHERENT = 0
_ALL_FEATURES = 0xFFFFFFFF
_ROBUST = 1 << 2  # RTC_SCENE_FLAG_ROBUST
_TRIANGLES, _INDICES, _VERTICES, _UINT3, _FLOAT3 = 0, 0, 1, 0x5003, 0x9003

_FROM_NUMBA = ("rtcIntersect16", "rtcOccluded16")
_packet_query = types.void(types.intp, types.intp, types.intp, types.intp)
rtc_intersect_16 = types.ExternalFunction("rtcIntersect16", _packet_query)
rtc_occluded_16 = types.ExternalFunction("rtcOccluded16", _packet_query)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """Embree's functions, from the library that embreex's extension is linked with; also declared to Numba by name.

    Raises BackendError if a function is missing.
    """
    import embreex.rtcore_scene

    # A symbol lookup in the extension also searches the libraries that it is linked with.
    library = ctypes.CDLL(embreex.rtcore_scene.__file__)
    pointer, word, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
    signatures = {
        "rtcNewDevice": (pointer, [ctypes.c_char_p]),
        "rtcGetDeviceError": (ctypes.c_int, [pointer]),
        "rtcNewScene": (pointer, [pointer]),
        "rtcSetSceneFlags": (None, [pointer, ctypes.c_int]),
        "rtcNewGeometry": (pointer, [pointer, ctypes.c_int]),
        "rtcSetNewGeometryBuffer": (pointer, [pointer, ctypes.c_int, word, ctypes.c_int, size, size]),
        "rtcCommitGeometry": (None, [pointer]),
        "rtcAttachGeometry": (word, [pointer, pointer]),
        "rtcReleaseGeometry": (None, [pointer]),
        "rtcCommitScene": (None, [pointer]),
        "rtcReleaseScene": (None, [pointer]),
    }
    try:
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        for name in _FROM_NUMBA:
            llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    except AttributeError as missing:
        raise BackendError(
            f"the Embree library of embreex ({embreex.rtcore_scene.__file__}) lacks a function of Embree 4 "
            f"({missing}). Most likely another build of embreex is installed; "
            "type: pip install --force-reinstall 'embreex>=4.4'"
        ) from missing
    return library


@lru_cache(maxsize=1)
def _device() -> int:
    # One thread: a tree built by several threads may differ between runs, and workers share the cores anyway.
    device = _library().rtcNewDevice(b"threads=1")
    if not device:
        raise BackendError(
            "Embree could not open a device: its library does not run on this processor (it needs SSE2 or NEON)"
        )
    return device


class EmbreeTree:
    """The ray tree of one mesh, watertight along shared edges (Embree's robust mode).

    vertices_V3: float32 metres · faces_F3: int32. `handle` is the tree's address for kernels, valid as long as this
    object exists. Raises SceneError if the tree cannot be built.
    """

    def __init__(self, vertices_V3: np.ndarray, faces_F3: np.ndarray) -> None:
        embree, device = _library(), _device()
        scene = embree.rtcNewScene(device)
        weakref.finalize(self, embree.rtcReleaseScene, scene)
        # Robust mode closes the gaps that the fast traversal leaves along shared edges: a light leak is one pixel, but
        # a sound leak lasts for the whole episode.
        embree.rtcSetSceneFlags(scene, _ROBUST)
        geometry = embree.rtcNewGeometry(device, _TRIANGLES)
        for kind, form, rows in (
            (_VERTICES, _FLOAT3, np.ascontiguousarray(vertices_V3, dtype=np.float32)),
            (_INDICES, _UINT3, np.ascontiguousarray(faces_F3, dtype=np.int32)),
        ):
            buffer = embree.rtcSetNewGeometryBuffer(geometry, kind, 0, form, 12, len(rows))
            if buffer:
                ctypes.memmove(buffer, rows.ctypes.data, rows.nbytes)
        embree.rtcCommitGeometry(geometry)
        embree.rtcAttachGeometry(scene, geometry)
        embree.rtcReleaseGeometry(geometry)
        embree.rtcCommitScene(scene)
        error = embree.rtcGetDeviceError(device)
        if error:
            reason = "out of memory" if error == 4 else f"Embree error {error}"
            raise SceneError(
                f"cannot build a ray tree of {len(faces_F3)} triangles: {reason}; simplify the mesh or free memory"
            )
        self.handle: int = scene


def query_arguments(flags: int) -> np.ndarray:
    """RTCIntersectArguments with `flags`: uint64 (8,). Keep it alive while kernels use its address."""
    arguments = np.zeros(8, dtype=np.uint64)
    arguments.view(np.uint32)[:2] = flags, _ALL_FEATURES
    return arguments


@njit(cache=True, nogil=True)
def aligned_words(words):  # pragma: no cover - compiled
    """float32 zeros aligned to 64 bytes, as Embree requires for packets."""
    raw = np.zeros(words + 16, dtype=np.float32)
    start = (-raw.ctypes.data % 64) // 4
    return raw[start : start + words]


@njit(cache=True, nogil=True)
def set_ray(packet, packet_i, k, ox, oy, oz, dx, dy, dz, far):  # pragma: no cover - compiled
    """Write the ray of lane k into a packet, which is given as float32 words and as the same words in int32."""
    zero = np.float32(0.0)
    packet[k], packet[16 + k], packet[32 + k], packet[48 + k] = ox, oy, oz, zero
    packet[64 + k], packet[80 + k], packet[96 + k], packet[112 + k] = dx, dy, dz, zero
    packet[128 + k] = far
    packet_i[144 + k], packet_i[160 + k], packet_i[176 + k] = -1, 0, 0
    packet_i[272 + k], packet_i[288 + k], packet_i[304 + k] = -1, -1, -1
