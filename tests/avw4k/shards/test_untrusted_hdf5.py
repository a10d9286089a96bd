"""Malicious files are refused before they are used: nothing outside of them is read, and they take no memory."""

from __future__ import annotations

import math
import os
import resource
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from avw.avw4k.plan.spec import plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.shard import FEATURES, demo_attributes, open_shard, read_demo
from avw.avw4k.writing.verify import verify_dataset
from avw.sim_bridge.errors import DatasetError

STEPS, SIZE = 12, 32
SHARD = "train-00000.h5"
MEMORY = 64 << 20  # bytes that a refusal may take

Attack = Callable[[h5py.Group, Path], None]


def soft_link(demo: h5py.Group, folder: Path) -> None:
    del demo["obs/rgb"]
    demo["obs/rgb"] = h5py.SoftLink("/data/demo_0/obs/depth")


def soft_link_out_of_the_tree(demo: h5py.Group, folder: Path) -> None:
    demo.file.create_dataset("elsewhere", data=np.zeros((STEPS, SIZE, SIZE, 3), np.uint8), chunks=(8, SIZE, SIZE, 3))
    del demo["obs/rgb"]
    demo["obs/rgb"] = h5py.SoftLink("/elsewhere")


def soft_link_to_a_group(demo: h5py.Group, folder: Path) -> None:
    demo.file.move(f"{demo.name}/obs", "/moved")
    demo["obs"] = h5py.SoftLink("/moved")


def external_link(demo: h5py.Group, folder: Path) -> None:
    del demo["obs/rgb"]
    demo["obs/rgb"] = h5py.ExternalLink(str(folder / "train-00001.h5"), "/data/demo_0/obs/rgb")


def external_storage(demo: h5py.Group, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_bytes(bytes(range(256)) * 1024)
    del demo["obs/rgb"]
    demo.create_dataset("obs/rgb", (STEPS, SIZE, SIZE, 3), "uint8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def virtual_dataset(demo: h5py.Group, folder: Path) -> None:
    layout = h5py.VirtualLayout((STEPS, SIZE, SIZE, 3), "uint8")
    layout[:] = h5py.VirtualSource(str(folder / "train-00001.h5"), "data/demo_0/obs/rgb", (STEPS, SIZE, SIZE, 3))
    del demo["obs/rgb"]
    demo.create_virtual_dataset("obs/rgb", layout)


def objects(demo: h5py.Group, folder: Path) -> None:
    del demo["actions"]
    demo.create_dataset("actions", (STEPS,), h5py.string_dtype(), chunks=(STEPS,))


def references(demo: h5py.Group, folder: Path) -> None:
    del demo["rewards"]
    demo.create_dataset("rewards", (STEPS,), h5py.ref_dtype, chunks=(STEPS,))


def compound(demo: h5py.Group, folder: Path) -> None:
    del demo["rewards"]
    demo.create_dataset("rewards", (STEPS,), np.dtype([("a", "f4")]))


def giant_shape(demo: h5py.Group, folder: Path) -> None:
    del demo["actions"]
    demo.create_dataset("actions", (1 << 60,), "uint8", chunks=(1 << 20,))


def giant_chunk(demo: h5py.Group, folder: Path) -> None:
    del demo["obs/rgb"]
    demo.create_dataset(
        "obs/rgb", (STEPS, SIZE, SIZE, 3), "uint8", maxshape=(None,) * 4, chunks=(512, 1024, 1024, 3), fletcher32=True
    )


def missing_chunks(demo: h5py.Group, folder: Path) -> None:
    """Rows that were never written read as zeros."""
    del demo["obs/rgb"]
    demo.create_dataset("obs/rgb", (STEPS, SIZE, SIZE, 3), "uint8", chunks=(8, SIZE, SIZE, 3), fletcher32=True)


def gzip_bomb(demo: h5py.Group, folder: Path) -> None:
    """Half a megabyte that inflates to half a gigabyte, with a correct checksum at its end."""
    size = 420  # pixels: a chunk of this size may have so many compressed bytes
    deflate = zlib.compressobj(9)
    content = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(512)) + deflate.flush()
    _raw_chunk(demo, "obs/rgb", (STEPS, size, size, 3), content, compression="gzip")


def blosc_bomb(demo: h5py.Group, folder: Path) -> None:
    """A Blosc2 frame that claims two gigabytes."""
    dataset = demo["obs/rgb"]
    _, frame = dataset.id.read_direct_chunk((0, 0, 0, 0))
    forged = bytearray(frame)
    length = int.from_bytes(frame[11:15], "big")
    forged[30:38] = (1 << 31 - 1).to_bytes(8, "big")
    forged[58:62] = (1 << 30).to_bytes(4, "big")
    forged[length + 4 : length + 8] = (1 << 30).to_bytes(4, "little")
    dataset.id.write_direct_chunk((0, 0, 0, 0), bytes(forged[:-4]) + _fletcher(bytes(forged[:-4])))


def blosc_bomb_inside(demo: h5py.Group, folder: Path) -> None:
    """The sizes of the frame are correct, but not the size of the chunk inside."""
    dataset = demo["obs/rgb"]
    _, frame = dataset.id.read_direct_chunk((0, 0, 0, 0))
    forged = bytearray(frame)
    length = int.from_bytes(frame[11:15], "big")
    forged[length + 4 : length + 8] = (1 << 30).to_bytes(4, "little")
    dataset.id.write_direct_chunk((0, 0, 0, 0), bytes(forged[:-4]) + _fletcher(bytes(forged[:-4])))


def unfiltered_chunk(demo: h5py.Group, folder: Path) -> None:
    """A chunk whose mask says that no filter, and so no checksum, applies."""
    demo["obs/rgb"].id.write_direct_chunk((0, 0, 0, 0), bytes(8 * SIZE * SIZE * 3), filter_mask=3)


def unexpected_filter(demo: h5py.Group, folder: Path) -> None:
    del demo["actions"]
    demo.create_dataset("actions", data=np.ones(STEPS, np.uint8), chunks=(STEPS,), **hdf5plugin.Zstd())


ATTACKS: dict[Attack, str] = {
    soft_link: "rgb", soft_link_out_of_the_tree: "rgb", soft_link_to_a_group: "rgb", external_link: "rgb",
    external_storage: "rgb", virtual_dataset: "rgb", objects: "actions", references: "rewards", compound: "rewards",
    giant_shape: "actions", giant_chunk: "rgb", missing_chunks: "rgb", gzip_bomb: "rgb", blosc_bomb: "rgb",
    blosc_bomb_inside: "rgb", unfiltered_chunk: "rgb", unexpected_filter: "actions",
}  # fmt: skip


def _raw_chunk(demo: h5py.Group, name: str, shape: tuple[int, ...], content: bytes, **filters: object) -> None:
    del demo[name]
    dataset = demo.create_dataset(name, shape, "uint8", chunks=(8, *shape[1:]), fletcher32=True, **filters)
    for row in range(0, shape[0], 8):
        dataset.id.write_direct_chunk((row, 0, 0, 0), content + _fletcher(content))


def _fletcher(content: bytes) -> bytes:
    """HDF5's checksum of a chunk, taken from a chunk that HDF5 writes."""
    with h5py.File("checksum", "w", driver="core", backing_store=False) as file:
        data = np.frombuffer(content, np.uint8)
        dataset = file.create_dataset("x", data=data, chunks=data.shape, fletcher32=True)
        file.flush()
        return bytes(dataset.id.read_direct_chunk((0,))[1][-4:])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_malicious_arrays_are_not_read(attack: Attack, copy: Path) -> None:
    size = 420 if attack is gzip_bomb else SIZE
    with h5py.File(copy / SHARD, "r+") as file:
        attack(file["data/demo_0"], copy)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_shard(copy / SHARD) as file, pytest.raises(DatasetError, match="cannot be read"):
        read_demo(file, 0, [ATTACKS[attack]], steps=STEPS, size=size)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY
    assert SHARD in verify_dataset(copy).problems


def test_a_reader_of_the_dataset_refuses_too(copy: Path) -> None:
    with h5py.File(copy / SHARD, "r+") as file:
        soft_link(file["data/demo_0"], copy)
    dataset = open_dataset(copy)
    ref = next(ref for ref in dataset.episodes() if ref.shard == SHARD)
    os.truncate(copy / SHARD, max((copy / SHARD).stat().st_size, dataset.records[SHARD].bytes))
    with pytest.raises(DatasetError):
        dataset.read(ref, ["rgb"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", np.zeros(1000)),
        ("mode", np.array([["approach"]], dtype=h5py.string_dtype())),
        ("mode", h5py.Empty("f8")),
    ],
)
def test_attributes_must_be_single_texts_or_numbers(copy: Path, name: str, value: object) -> None:
    with h5py.File(copy / SHARD, "r+") as file:
        file["data/demo_0"].attrs[name] = value
    with open_shard(copy / SHARD) as file, pytest.raises(DatasetError, match=f"attribute {name}"):
        demo_attributes(file, 0)


def test_too_many_attributes_are_refused(copy: Path) -> None:
    with h5py.File(copy / SHARD, "r+") as file:
        for number in range(100):
            file["data/demo_0"].attrs[f"a{number}"] = number
    with open_shard(copy / SHARD) as file, pytest.raises(DatasetError, match="attributes"):
        demo_attributes(file, 0)


def test_groups_must_not_be_links(copy: Path) -> None:
    """Neither `data` nor a demo may be a link."""
    outside = copy / "outside.h5"
    shutil.copy(copy / SHARD, outside)
    with h5py.File(copy / SHARD, "r+") as file:
        del file["data/demo_0"]
        file["data/demo_0"] = h5py.ExternalLink(str(outside), "/data/demo_0")
    spec = open_dataset(copy).spec
    shard = next(shard for shard in plan(spec) if shard.name == SHARD)
    with pytest.raises(DatasetError, match="link to another file"):
        check_shard(copy / SHARD, spec, shard)


def test_generated_shards_pass_all_checks(reference: Path) -> None:
    dataset = open_dataset(reference)
    for ref in dataset.episodes():
        with open_shard(reference / ref.shard) as file:
            read_demo(file, ref.demo, FEATURES, steps=STEPS, size=SIZE)
            assert len(file.harmless) == len(FEATURES) + 3
            stored = sum(math.prod(file[path].shape) for path in file.harmless)
            assert stored > 0
