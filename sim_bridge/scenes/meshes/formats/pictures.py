"""Decode the pictures of a mesh file: each once, at the size that is used, and within limits for all of them."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError

MAX_TEXTURE = 1024  # side in pixels; enough for the image sizes that world models are trained on
MAX_PIXELS = 16_384**2  # of an image in a file
MAX_DECODED = 600_000_000  # pixels that are decoded for one file; a scan of a house has some 100 million


class Pictures:
    """Decodes the pictures of one file. warn: receives sentences about pictures that cannot be decoded"""

    def __init__(self, file: str, warn: Callable[[str], None]) -> None:
        self._file, self._warn = file, warn
        self._decoded: dict[tuple[bytes, bool], np.ndarray | None] = {}
        self._pixels = 0

    def decode(self, data: bytes | memoryview, name: str, *, whole: bool = False) -> np.ndarray | None:
        """uint8 sRGB (H, W, 3), at most `MAX_TEXTURE` pixels wide and high unless `whole`; None if it is damaged.

        name: what has the picture, for messages. Raises SceneError if the pictures of the file are too large together.
        """
        key = (hashlib.blake2b(data, digest_size=16).digest(), whole)
        if key not in self._decoded:
            try:
                self._decoded[key] = self._decode(data, whole)
            except SceneError:
                raise
            except MemoryError:
                self._refuse(name, "it needs too much memory")
                self._decoded[key] = None
            except Exception as error:  # decoders raise many kinds of exceptions for damaged pictures
                self._refuse(name, str(error).split("<")[0].strip() or type(error).__name__)
                self._decoded[key] = None
        return self._decoded[key]

    def _refuse(self, name: str, reason: str) -> None:
        self._warn(f"the image of {name} cannot be decoded ({reason}): its faces show their base colour")

    def _decode(self, data: bytes | memoryview, whole: bool) -> np.ndarray:
        from PIL import Image

        with allow_large_images(), Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > 2 * MAX_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels")
            if not whole:
                # Scans have atlases of 16k pixels; `draft` decodes large JPEGs at a fraction of their size.
                image.draft("RGB", (MAX_TEXTURE, MAX_TEXTURE))
            self._pixels += image.width * image.height
            if self._pixels > MAX_DECODED:
                raise SceneError(
                    f"{self._file} cannot be read: its pictures have more than {MAX_DECODED:,} pixels; reduce them"
                )
            picture: Any = _eight_bits(image)
            if not whole:
                picture.thumbnail((MAX_TEXTURE, MAX_TEXTURE))
            return np.asarray(picture.convert("RGB"))


def _eight_bits(image: Any) -> Any:
    """The picture with 8 bits per channel. Pillow would clip pictures of 16 bits to white."""
    from PIL import Image

    if image.mode.startswith("I"):
        values = np.clip(np.asarray(image).astype(np.int64), 0, 65_535)
        return Image.fromarray(((values * 255 + 32_767) // 65_535).astype(np.uint8))
    if image.mode == "F":
        return Image.fromarray(np.clip(np.nan_to_num(np.asarray(image)) * 255.0 + 0.5, 0, 255).astype(np.uint8))
    return image


@contextmanager
def allow_large_images() -> Iterator[None]:
    """Allow images of up to 2 * MAX_PIXELS inside the block. Pillow would refuse the texture atlases of scans."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of damaged metadata, which is not used
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
