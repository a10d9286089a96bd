"""Pictures and sound inside a page: data URIs and sprite sheets.

The frames of an episode are one sheet, and its sound is FLAC: both are small, and current browsers support them.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np

from avw.avw4k.viewing.colour_ramp import depth_ramp
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SECONDS

SHEET_COLUMNS = 16


def data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(rgb_HWC: np.ndarray, *, quality: int = 88, apart: bool = False) -> str:
    """A picture as a data URI: WebP, or JPEG if `apart`. rgb_HWC: uint8.

    apart: keep tiles separate. WebP, and JPEG with chroma subsampling, blur across tile edges. JPEG without subsampling
        does not if the side of a tile is a multiple of 8 pixels; the file is about half as large again
    """
    from PIL import Image

    buffer = io.BytesIO()
    if apart:
        Image.fromarray(rgb_HWC).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        return data_uri(buffer.getvalue(), "image/jpeg")
    Image.fromarray(rgb_HWC).save(buffer, "WEBP", quality=quality, method=4)
    return data_uri(buffer.getvalue(), "image/webp")


def sheet(rgb_THWC: np.ndarray, *, quality: int = 80, apart: bool = False) -> str:
    """All frames in rows of `SHEET_COLUMNS`, as one data URI. rgb_THWC: uint8 · apart: see `picture`."""
    count, height, width, _ = rgb_THWC.shape
    rows = -(-count // SHEET_COLUMNS)
    columns = min(count, SHEET_COLUMNS)
    canvas = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, frame_HWC in enumerate(rgb_THWC):
        row, column = divmod(index, SHEET_COLUMNS)
        canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = frame_HWC
    return picture(canvas, quality=quality, apart=apart)


def depth_colours(depth_THW: np.ndarray, farthest: float = 6.0) -> np.ndarray:
    """Depth in metres as colours, uint8 (T, H, W, 3): near is light, far is dark, missing depth is black."""
    colours = depth_ramp(farthest).paint(depth_THW)
    colours[depth_THW <= 0] = 0
    return colours


def sound(audio_ES: np.ndarray, *, peak: float | None = None, plain: bool = False) -> str:
    """Binaural sound as a FLAC data URI.

    audio_ES: linear · peak: amplitude that becomes 0.9 of full scale (default: the largest of the sound)
    plain: WAV instead of FLAC, because Chromium does not finish a seek in a FLAC of a few blocks
    """
    import soundfile

    loudest = float(np.abs(audio_ES).max()) if peak is None else peak
    scaled = np.clip(audio_ES.T * (0.9 / max(loudest, 1e-9)), -1.0, 1.0)
    buffer = io.BytesIO()
    kind = "WAV" if plain else "FLAC"
    soundfile.write(buffer, scaled.astype(np.float32), SAMPLE_RATE, format=kind, subtype="PCM_16")
    return data_uri(buffer.getvalue(), f"audio/{kind.lower()}")


def read_sound(path: Path) -> np.ndarray:
    """float32 (E, S) of an audio file of a run."""
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.T


def read_frames(path: Path) -> np.ndarray:
    """uint8 (T, H, W, 3): the frames of an animation, one per step.

    GIF writers merge equal consecutive frames into a longer one. Here each step is a separate frame again.
    """
    from PIL import Image, ImageSequence

    frames = []
    with Image.open(path) as image:
        for frame in ImageSequence.Iterator(image):
            steps = round(frame.info.get("duration", 1e3 * STEP_SECONDS) / (1e3 * STEP_SECONDS))
            frames += [np.asarray(frame.convert("RGB"))] * max(1, steps)
    return np.stack(frames)


def levels(audio_ES: np.ndarray, columns: int, floor: float = -40.0) -> list[list[float]]:
    """Per ear, the level in `columns` equal parts: 1 is the loudest, 0 is `floor` dB below it or less."""
    length = audio_ES.shape[1] // columns * columns
    rms_EC = np.sqrt(np.square(audio_ES[:, :length].astype(np.float64)).reshape(2, columns, -1).mean(axis=2))
    level_EC = 20 * np.log10(np.maximum(rms_EC / max(float(rms_EC.max()), 1e-12), 10 ** (floor / 20)))
    return [[round(float(1 - level / floor), 3) for level in level_C] for level_C in level_EC]
