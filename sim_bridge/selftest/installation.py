"""What is installed on this machine, and under which licences. `avw doctor` prints it."""

from __future__ import annotations

import platform
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from avw.sim_bridge.process.ffmpeg import find_ffmpeg
from avw.sim_bridge.process.threads import available_cores

PACKAGES = (
    "avw", "numpy", "scipy", "numba", "embreex", "trimesh", "h5py", "hdf5plugin", "gymnasium", "pyarrow", "pillow",
    "soundfile", "pydub", "torch", "safetensors", "einops", "rlr-audio-propagation",
)  # fmt: skip
OPTIONAL = {  # package: purpose, and how to install it
    "torch": "avw train, evaluate and navigate --policy mpc. Install it with: pip install 'avw[model]'",
    "safetensors": "checkpoints. Install it with: pip install 'avw[model]'",
    "einops": "the model. Install it with: pip install 'avw[model]'",
    "rlr-audio-propagation": "--acoustics rlr (CC-BY-NC). Install it with: pip install 'avw[rlr]'",
    "ffmpeg": "MP4 videos. Install it with your system's package manager, which also makes other sound files readable, "
    "or with: pip install 'avw[video]'",
}
TERMS = {  # component: licence
    "acoustics emitters": "part of AVW, MIT",
    "acoustics rlr": "RLR-Audio-Propagation, CC-BY-NC-4.0: no commercial use, which includes data made with it",
    "acoustics habitat": "the same engine in the audio sensor of habitat-sim, same licence",
    "head-related responses": "MIT KEMAR (Gardner & Martin 1994): free for any use, cite the authors",
    "sound 'ring'": "synthesised by AVW, MIT",
}
_LICENCE_LENGTH = 40  # some packages put the whole licence text in the field for its name


def machine() -> dict[str, str | int]:
    """Python, operating system, and the number of usable CPU cores."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": available_cores(),
    }


def installed_packages() -> dict[str, tuple[str, str] | None]:
    """(version, licence) of every relevant package, or None if it is missing; for ffmpeg, (path, licence)."""
    found: dict[str, tuple[str, str] | None] = {}
    for package in PACKAGES:
        try:
            metadata = distribution(package)
        except PackageNotFoundError:
            found[package] = None
        else:
            found[package] = metadata.version, _licence(metadata)
    ffmpeg = find_ffmpeg()
    found["ffmpeg"] = (ffmpeg, "LGPL or GPL, depending on the build") if ffmpeg else None
    return found


def _licence(package: Distribution) -> str:
    """The short name of the licence, from the metadata of the package."""
    metadata = package.metadata
    stated = {key: (metadata.get_all(key) or [""])[0].strip() for key in ("License-Expression", "License")}
    classified = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if "License ::" in line]
    name = stated["License-Expression"] or ", ".join(classified) or stated["License"].partition("\n")[0]
    if not name:
        return "see the files of the package"
    return name if len(name) <= _LICENCE_LENGTH else f"{name[:_LICENCE_LENGTH].rpartition(' ')[0]} ..."
