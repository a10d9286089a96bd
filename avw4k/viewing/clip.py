"""Clips: what the player in a page plays. A clip is one JSON object with frames, sound, poses and actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.viewing.colour_ramp import depth_ramp, level_ramp
from avw.avw4k.viewing.hearing import ILD_HOP, SPECTRUM_FLOOR, decibels, level_difference, outline, spectrogram
from avw.avw4k.viewing.media import SHEET_COLUMNS, depth_colours, levels, picture, sheet, sound
from avw.avw4k.viewing.plans import Plan, blank_plan, floor_plan
from avw.avw4k.viewing.point_cloud import point_cloud
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SECONDS

if TYPE_CHECKING:
    from avw.avw4k.reading.dataset import Dataset, EpisodeRef

FARTHEST = 6.0  # metres of depth that the colours span
PEAK = 0.9  # amplitude of the loudest sample as played, relative to full scale
OUTLINE_COLUMNS = 1200
LEVEL_COLUMNS = (96, 320)  # least and most, in the strip of a compact clip
SHORT = 5.0  # seconds; shorter sounds are WAV, because Chromium does not finish a seek in a FLAC of a few blocks
Json = dict[str, Any]


def episode_clip(dataset: Dataset, ref: EpisodeRef) -> Json:
    """An episode of a dataset, with all that the viewer shows. Raises DatasetError for a damaged shard."""
    rows = dataset.read(ref)
    audio_ES = _episode_sound(dataset, rows)
    views = _episode_views(rows, apart=True)
    views[0]["about"] = f"{dataset.spec.simulator.hfov:g}° wide"
    return {
        **_clip(len(rows["rgb"]), rows["rgb"].shape[1]),
        "views": views,
        "sounds": [_analysed_sound("Both ears", audio_ES, float(np.abs(audio_ES).max()))],
        "actions": rows["actions"].tolist(),
        "rewards": [round(float(reward), 4) for reward in rows["rewards"]],
        "collided": np.flatnonzero(rows["collided"]).tolist(),
        "distance": [round(float(metres), 3) for metres in rows["geodesic"]],
        "cloud": _cloud(dataset, rows),
        **_place(dataset, ref, rows),
    }


def compact_episode_clip(dataset: Dataset, ref: EpisodeRef) -> Json:
    """An episode as an embedded player shows it: smaller than `episode_clip`, without its analysis."""
    rows = dataset.read(ref, ("rgb", "depth", "audio", "position", "yaw"))
    audio_ES = _episode_sound(dataset, rows)
    clip = compact_clip(_episode_views(rows), len(rows["rgb"]), rows["rgb"].shape[1], audio_ES)
    return {**clip, **_place(dataset, ref, rows)}


def compact_clip(views: list[Json], frames: int, size: int, audio_ES: np.ndarray, *, peak: float | None = None) -> Json:
    """A clip for an embedded player: pictures, one sound, and its level over time.

    peak: amplitude that is played at PEAK of full scale (default: the largest of the sound)
    """
    peak = float(np.abs(audio_ES).max()) if peak is None else peak
    return {
        **_clip(frames, size),
        "views": views,
        "sounds": [_sound("Both ears", audio_ES, peak)],
        "levels": levels(audio_ES, int(np.clip(2 * frames, *LEVEL_COLUMNS))),
    }


def played_clip(
    views: list[Json], audio_ES: np.ndarray, path_T4: np.ndarray, scene: str, source_3: np.ndarray, *, compact: bool
) -> Json:
    """An episode of a policy. views: {"caption", "about", "frames": uint8 (T, H, W, 3)} · path_T4: (x, y, z, yaw)

    compact: for an embedded player, without the analysis of the sound
    """
    frames, size = views[0]["frames"].shape[:2]
    drawn = [
        {"caption": view["caption"], "about": view["about"], "sheet": sheet(view["frames"], apart=not compact)}
        for view in views
    ]
    plan = floor_plan(scene) or blank_plan(np.vstack([path_T4[:, :3], source_3[None]]))
    place = {"map": _map(plan, path_T4[:, :3], path_T4[:, 3], source_3)}
    if compact:
        return compact_clip(drawn, frames, size, audio_ES) | place
    sounds = [_analysed_sound("Both ears", audio_ES, float(np.abs(audio_ES).max()))]
    return {**_clip(frames, size), "views": drawn, "sounds": sounds, **place}


def predicted_clip(truth: tuple[np.ndarray, np.ndarray], model: tuple[np.ndarray, np.ndarray], note: Json) -> Json:
    """A predicted future beside the true one. truth, model: (rgb uint8 (T, H, W, 3), audio float32 (E, S))."""
    peak = max(float(np.abs(audio_ES).max()) for _, audio_ES in (truth, model))
    frames = min(len(truth[0]), len(model[0]))
    progress = [note.get("true_progress"), note.get("imagined_progress")]
    return {
        **_clip(frames, truth[0].shape[1]),
        "views": [
            {"caption": "Ground truth", "about": "from the dataset", "sheet": sheet(truth[0][:frames], apart=True)},
            {"caption": "Prediction", "about": "by the model", "sheet": sheet(model[0][:frames], apart=True)},
        ],
        "sounds": [
            _analysed_sound("True sound", truth[1], peak),
            _analysed_sound("Predicted sound", model[1], peak),
        ],
        "progress": progress if all(progress) else None,
    }


def _clip(frames: int, size: int) -> Json:
    return {"frames": frames, "size": size, "columns": SHEET_COLUMNS, "step": STEP_SECONDS, "rate": SAMPLE_RATE}


def _episode_views(rows: dict[str, np.ndarray], *, apart: bool = False) -> list[Json]:
    """Camera and depth. apart: see `media.picture`."""
    depth_THW = rows["depth"].astype(np.float32) / np.float32(DEPTH_UNITS)
    return [
        {"caption": "Camera", "about": "", "sheet": sheet(rows["rgb"], apart=apart)},
        {
            "caption": "Depth",
            "about": "",
            "sheet": sheet(depth_colours(depth_THW, FARTHEST), apart=apart),
            "ramp": depth_ramp(FARTHEST).note(),
        },
    ]


def _cloud(dataset: Dataset, rows: dict[str, np.ndarray]) -> Json:
    """The points for the 3-D view. floor: height of the lowest floor on the path, metres"""
    depth_THW = rows["depth"].astype(np.float32) / np.float32(DEPTH_UNITS)
    cloud = point_cloud(rows["rgb"], depth_THW, rows["position"], rows["yaw"], dataset.spec.simulator.hfov)
    return {**cloud.note(), "floor": round(float(rows["position"][:, 1].min()), 3)}


def _episode_sound(dataset: Dataset, rows: dict[str, np.ndarray]) -> np.ndarray:
    """float32 (E, S): the steps joined without a gap, in linear units."""
    audio_TES = rows["audio"].astype(np.float32) * np.float32(dataset.audio_scale)
    return np.moveaxis(audio_TES, 1, 0).reshape(audio_TES.shape[1], -1)


def _sound(name: str, audio_ES: np.ndarray, peak: float) -> Json:
    """A sound to play, scaled so that an amplitude of `peak` becomes PEAK. gain: that factor in dB."""
    return {
        "name": name,
        "gain": round(decibels(PEAK / max(peak, 1e-9)), 1),
        "audio": sound(audio_ES, peak=peak, plain=audio_ES.shape[1] < SHORT * SAMPLE_RATE),
    }


def _analysed_sound(name: str, audio_ES: np.ndarray, peak: float) -> Json:
    """`_sound` with what the lanes of the viewer draw: outline, spectrogram and ILD."""
    scaled_ES = audio_ES * (PEAK / max(peak, 1e-9))
    return {
        **_sound(name, audio_ES, peak),
        "outline": outline(scaled_ES, min(OUTLINE_COLUMNS, scaled_ES.shape[1])),
        "spectrogram": picture(spectrogram(scaled_ES), quality=86),
        "ramp": level_ramp(SPECTRUM_FLOOR).note(),
        "ild": level_difference(scaled_ES),
        "ild_seconds": ILD_HOP / SAMPLE_RATE,
    }


def _place(dataset: Dataset, ref: EpisodeRef, rows: dict[str, np.ndarray]) -> Json:
    """The floor plan with the path on it, and what else is drawn there."""
    source_3 = np.asarray(dataset.source(ref).position_3)
    plan = floor_plan(ref.scene) or blank_plan(np.vstack([rows["position"], source_3[None]]))
    return {
        "hfov": dataset.spec.simulator.hfov,
        "success_distance": dataset.spec.task.success_distance,
        "map": _map(plan, rows["position"], rows["yaw"], source_3),
    }


def _map(plan: Plan, position_T3: np.ndarray, yaw_T: np.ndarray, source_3: np.ndarray) -> Json:
    """The floor plan, and in its pixels: the path (x, y, and yaw in radians), the source, the length of a metre.

    origin: (x, z) of its upper left corner in metres
    """
    points = [plan.pixels(position[0], position[2]) for position in position_T3]
    return {
        "picture": plan.picture,
        "width": plan.width,
        "height": plan.height,
        "metre": round(1.0 / plan.metres_per_pixel, 2),
        "origin": [round(metres, 3) for metres in plan.origin_xz],
        "rooms": plan.names(),
        "path": [[round(x, 1), round(y, 1), round(float(yaw), 3)] for (x, y), yaw in zip(points, yaw_T, strict=True)],
        "source": [round(v, 1) for v in plan.pixels(float(source_3[0]), float(source_3[2]))],
    }
