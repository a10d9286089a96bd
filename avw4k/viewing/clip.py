"""A clip is what the page plays: frames, sound, where the agent was, what it did, as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.viewing.hearing import ILD_HOP, decibels, level_difference, outline, spectrogram
from avw.avw4k.viewing.media import SHEET_COLUMNS, depth_colours, picture, sheet, sound
from avw.avw4k.viewing.plans import Plan, blank_plan, floor_plan
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SECONDS

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset, EpisodeRef

FARTHEST = 6.0  # metres that the depth colours span
PEAK = 0.9  # of full scale, what the loudest sample is played at
OUTLINE_COLUMNS = 1200
SHORT = 5.0  # seconds; shorter sounds travel as WAV
Json = dict[str, Any]


def episode_clip(dataset: Dataset, ref: EpisodeRef) -> Json:
    """An episode of a dataset. Raises DatasetError for a damaged shard."""
    rows = dataset.read(ref)
    source_3 = np.asarray(dataset.source(ref).position_3)
    plan = floor_plan(ref.scene) or blank_plan(np.vstack([rows["position"], source_3[None]]))
    depth_THW = rows["depth"].astype(np.float32) / np.float32(DEPTH_UNITS)
    audio_ES = joined(rows["audio"].astype(np.float32) * np.float32(dataset.audio_scale))
    colours = depth_colours(depth_THW, FARTHEST)
    return {
        **_clip(len(rows["rgb"]), rows["rgb"].shape[1]),
        "views": [
            {
                "caption": "Camera",
                "about": f"{dataset.spec.simulator.hfov:g}° wide",
                "sheet": sheet(rows["rgb"], apart=True),
            },
            {
                "caption": "Depth",
                "about": f"near to {FARTHEST:g} m",
                "sheet": sheet(colours, apart=True),
            },
        ],
        "sounds": [heard("Both ears", audio_ES, float(np.abs(audio_ES).max()))],
        "actions": rows["actions"].tolist(),
        "rewards": [round(float(reward), 4) for reward in rows["rewards"]],
        "collided": np.flatnonzero(rows["collided"]).tolist(),
        "distance": [round(float(metres), 3) for metres in rows["geodesic"]],
        "hfov": dataset.spec.simulator.hfov,
        "success_distance": dataset.spec.task.success_distance,
        "map": map_of(plan, rows["position"], rows["yaw"], source_3),
    }


def imagined_clip(truth: tuple[np.ndarray, np.ndarray], model: tuple[np.ndarray, np.ndarray], note: Json) -> Json:
    """The model's future beside the true one. truth, model: (rgb uint8 (T, H, W, 3), audio float32 (E, S))."""
    peak = max(float(np.abs(audio_ES).max()) for _, audio_ES in (truth, model))
    frames = min(len(truth[0]), len(model[0]))
    progress = [note.get("true_progress"), note.get("imagined_progress")]
    return {
        **_clip(frames, truth[0].shape[1]),
        "views": [
            {"caption": "What happened", "about": "from the dataset", "sheet": sheet(truth[0][:frames], apart=True)},
            {"caption": "Imagined", "about": "by the model", "sheet": sheet(model[0][:frames], apart=True)},
        ],
        "sounds": [heard("True sound", truth[1], peak), heard("Imagined sound", model[1], peak)],
        "progress": progress if all(progress) else None,
    }


def joined(audio_TES: np.ndarray) -> np.ndarray:
    """(T, E, S) → (E, T * S): steps follow each other without a gap."""
    return np.moveaxis(audio_TES, 1, 0).reshape(audio_TES.shape[1], -1)


def heard(name: str, audio_ES: np.ndarray, peak: float) -> Json:
    """A sound to play, scaled so that `peak` is PEAK, and what is drawn of it. gain: that scaling, dB."""
    scaled_ES = audio_ES * (PEAK / max(peak, 1e-9))
    return {
        "name": name,
        "gain": round(decibels(PEAK / max(peak, 1e-9)), 1),
        "audio": sound(audio_ES, peak=peak, plain=audio_ES.shape[1] < SHORT * SAMPLE_RATE),
        "outline": outline(scaled_ES, min(OUTLINE_COLUMNS, scaled_ES.shape[1])),
        "spectrogram": picture(spectrogram(scaled_ES), quality=86),
        "ild": level_difference(scaled_ES),
        "ild_seconds": ILD_HOP / SAMPLE_RATE,
    }


def map_of(plan: Plan, position_T3: np.ndarray, yaw_T: np.ndarray, source_3: np.ndarray) -> Json:
    """The floor plan, and in its pixels: the path ((x, y), yaw in radians), the source, a metre."""
    points = [plan.pixels(position[0], position[2]) for position in position_T3]
    return {
        "picture": plan.picture,
        "width": plan.width,
        "height": plan.height,
        "metre": round(1.0 / plan.metres_per_pixel, 2),
        "path": [[round(x, 1), round(y, 1), round(float(yaw), 3)] for (x, y), yaw in zip(points, yaw_T, strict=True)],
        "source": [round(v, 1) for v in plan.pixels(float(source_3[0]), float(source_3[2]))],
    }


def _clip(frames: int, size: int) -> Json:
    return {"frames": frames, "size": size, "columns": SHEET_COLUMNS, "step": STEP_SECONDS}
