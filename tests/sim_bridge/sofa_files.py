"""SOFA files for tests, written with h5py in the layout of AES69's SimpleFreeFieldHRIR (a netCDF-4 file)."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np

RADIUS = 0.09  # metres from the centre of the point head to an ear
SPEED = 343.0


@dataclass
class SofaFile:
    """The content of a file; fields may be set to invalid values. Angles in degrees, counter-clockwise.

    Shapes as in AES69: M measurements · R receivers · N samples · C coordinates · I = 1.
    """

    ir_MRN: np.ndarray
    source_MC: np.ndarray
    rate: float = 48_000.0
    source_type: str = "spherical"
    receiver_RC: np.ndarray = field(default_factory=lambda: np.array([[0.0, RADIUS, 0.0], [0.0, -RADIUS, 0.0]]))
    delay_IR: np.ndarray = field(default_factory=lambda: np.zeros((1, 2)))
    position_IC: np.ndarray = field(default_factory=lambda: np.zeros((1, 3)))
    view_IC: np.ndarray = field(default_factory=lambda: np.array([[1.0, 0.0, 0.0]]))
    up_IC: np.ndarray = field(default_factory=lambda: np.array([[0.0, 0.0, 1.0]]))
    convention: str = "SimpleFreeFieldHRIR"

    def write(self, path: Path) -> Path:
        measurements, ears, samples = self.ir_MRN.shape
        with h5py.File(path, "w") as file:
            texts = {
                "Conventions": "SOFA",
                "Version": "1.0",
                "SOFAConventions": self.convention,
                "SOFAConventionsVersion": "1.0",
                "DataType": "FIR",
                "RoomType": "free field",
                "Title": "a head of the tests",
                "DateCreated": "2026-01-01 00:00:00",
                "DateModified": "2026-01-01 00:00:00",
                "APIName": "h5py",
                "APIVersion": h5py.__version__,
                "AuthorContact": "",
                "Organization": "",
                "License": "",
                "DatabaseName": "tests",
                "ListenerShortName": "point head",
            }
            for name, text in texts.items():
                file.attrs[name] = np.bytes_(text) if text else np.bytes_(" ")
            sizes = {"I": 1, "C": 3, "R": ears, "E": 1, "N": samples, "M": measurements, "S": 1}
            for name, size in sizes.items():
                file[name] = np.zeros(size, dtype=np.float32)
                file[name].make_scale(f"This is a netCDF dimension but not a netCDF variable. {size:9d}")

            def put(name: str, value: np.ndarray, dimensions: str, kind: str = "", units: str = "") -> None:
                file.create_dataset(name, data=value, compression="gzip" if name == "Data.IR" else None)
                for axis, dimension in enumerate(dimensions):
                    file[name].dims[axis].attach_scale(file[dimension])
                for attribute, text in (("Type", kind), ("Units", units)):
                    if text:
                        file[name].attrs[attribute] = np.bytes_(text)

            def rows(value: np.ndarray) -> str:
                return "M" if len(value) == measurements and measurements > 1 else "I"

            put("Data.IR", self.ir_MRN, "MRN")
            put("Data.SamplingRate", np.array([self.rate]), "I", units="hertz")
            put("Data.Delay", self.delay_IR, rows(self.delay_IR) + "R")
            units = "metre" if self.source_type == "cartesian" else "degree, degree, metre"
            put("SourcePosition", self.source_MC, "MC", self.source_type, units)
            put("ReceiverPosition", self.receiver_RC[..., None], "RCI", "cartesian", "metre")
            put("EmitterPosition", np.zeros((1, 3, 1)), "ECI", "cartesian", "metre")
            put("ListenerPosition", self.position_IC, rows(self.position_IC) + "C", "cartesian", "metre")
            put("ListenerView", self.view_IC, rows(self.view_IC) + "C", "cartesian", "metre")
            put("ListenerUp", self.up_IC, rows(self.up_IC) + "C")
        return path


def kemar() -> SofaFile:
    """The shipped measurements, as in MIT's distribution."""
    with np.load(str(files("avw.sim_bridge.acoustics").joinpath("data/kemar_16k.npz"))) as data:
        ir_MRN = np.moveaxis(data["ir"] * np.float64(data["scale"]), 1, 2)[:, ::-1]
        azimuth_M, elevation_M = data["az"].astype(float), data["el"].astype(float)
    return SofaFile(ir_MRN, np.stack([-azimuth_M % 360.0, elevation_M, np.full(len(azimuth_M), 1.4)], axis=1), 16_000)


def point_head(rate: float = 48_000.0, source_MC: np.ndarray | None = None) -> SofaFile:
    """Two ears 18 cm apart with nothing between them: delay and level are known in closed form at all frequencies.

    The amplitude at an ear is 1 + 0.5 times the cosine of the angle from the axis of that ear.
    """
    if source_MC is None:
        azimuth, elevation = np.meshgrid(np.arange(0.0, 360.0, 10.0), np.arange(-60.0, 91.0, 15.0))
        source_MC = np.stack([azimuth.ravel(), elevation.ravel(), np.full(azimuth.size, 1.5)], axis=1)
    left_M = np.sin(np.radians(source_MC[:, 0])) * np.cos(np.radians(source_MC[:, 1]))
    along_MR = np.stack([left_M, -left_M], axis=1)
    latency = 0.002 - RADIUS / SPEED * along_MR
    offset_MRN = np.arange(round(0.006 * rate)) - latency[..., None] * rate
    window_MRN = np.i0(8.0 * np.sqrt(np.maximum(0.0, 1.0 - (offset_MRN / 24.0) ** 2))) / np.i0(8.0)
    ir_MRN = (1.0 + 0.5 * along_MR[..., None]) * np.sinc(offset_MRN) * window_MRN
    return SofaFile(ir_MRN * (np.abs(offset_MRN) < 24.0), source_MC, rate)
