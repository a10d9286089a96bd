"""Expands the value of `--sound`: a sound, a file, a folder, or a split of SoundSpaces' sounds.

The root of SoundSpaces' sounds is `data/sounds` (or the folder given by `--sound-root` or $AVW_SOUNDS), with folders of
clips: `1s_all` (102 sounds of one second) and `semantic_splits/{train,val,test}`. Only SoundSpaces' episodes tell which
of the 102 are *heard* in training, so the split is read from them: `data/datasets/audionav/*/v1/` beside the sounds,
splits `train_multiple` (73 sounds in SoundSpaces' paper), `val_multiple_unheard` (11), `test_multiple_unheard` (18).
"""

from __future__ import annotations

import os
from pathlib import Path

from avw.sim_bridge.acoustics.sounds import SOUNDS
from avw.sim_bridge.errors import SoundError, UsageError
from avw.sim_bridge.paths import local_path, own_files
from avw.sim_bridge.task.episode_file import iterate_episodes

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
CLIPS = ("1s_all", "semantic_splits", "")  # where SoundSpaces looks for a sound that an episode names
HEARD = {
    "heard": ("train_multiple",),
    "heard:train": ("train_multiple",),
    "unheard": ("val_multiple_unheard", "test_multiple_unheard"),
    "unheard:val": ("val_multiple_unheard",),
    "unheard:test": ("test_multiple_unheard",),
}


def expand_sounds(text: str, root: Path | str | None = None) -> tuple[str, ...]:
    """The sounds that `text` means, sorted by name.

    `ring`; an audio file; a folder of them; an episode file (`.json.gz`: the sounds that it names); and under the root:
    `1s_all`, `semantic_splits:train`, `telephone`, and `heard`, `unheard:val`, `unheard:test`.
    Raises SoundError for a folder or a set without sounds. Any other name is returned unchanged, for `load_sound`.
    """
    path, base = local_path(text), sound_root(root)
    if path.is_dir():
        return _clips(path)
    if path.is_file():
        if path.name.endswith((".json.gz", ".json")):
            return _named_by([path], base)
        return (str(path) if text.startswith("~") else text,)
    if text in HEARD:
        return _named_by(_episode_files(text, base), base)
    folder = base.joinpath(*text.split(":"))
    if ".." not in folder.parts and folder.is_dir():
        return _clips(folder)
    found = _look_up(text, base)
    return (str(found),) if found else (text,)


def one_sound(text: str, root: Path | str | None = None) -> str:
    """The sound that `text` means. Raises UsageError if it means several."""
    found = expand_sounds(text, root)
    if len(found) > 1:
        raise UsageError(f"{text} has {len(found)} sounds, and one is needed; name it, e.g. --sound {found[0]}")
    return found[0]


def find_sound(name: str, root: Path | str | None = None) -> str:
    """The file of the sound that an episode calls `name` ("telephone", "train/chair.wav"); a shipped sound ("ring") is
    its own name. Raises SoundError."""
    if name in SOUNDS:
        return name
    base = sound_root(root)
    found = _look_up(name, base)
    if found is None:
        raise SoundError(
            f"no sound {name!r} under {base}: SoundSpaces' clips are expected there ({base}/1s_all/{Path(name).name}). "
            "Give their folder with --sound-root DIR, or play another sound with --sound ring"
        )
    return str(found)


def sound_root(root: Path | str | None = None) -> Path:
    """The folder of SoundSpaces' sounds: `root`, else $AVW_SOUNDS, else data/sounds."""
    return local_path(root or os.environ.get("AVW_SOUNDS") or "data/sounds")


def _look_up(name: str, base: Path) -> Path | None:
    if not name or name.startswith("/") or ".." in Path(name).parts:
        return None
    for folder in CLIPS:
        for suffix in ("", *SUFFIXES):
            path = base / folder / f"{name}{suffix}"
            if path.suffix.lower() in SUFFIXES and path.is_file():
                return path
    return None


def _clips(folder: Path) -> tuple[str, ...]:
    found = tuple(str(path) for path in own_files(folder.iterdir()) if path.suffix.lower() in SUFFIXES)
    if not found:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
        more = f"; choose one of its folders, e.g. {folder / inside[0]}" if inside else ""
        raise SoundError(f"no sound in {folder}: expected {', '.join(SUFFIXES)} files{more}")
    return found


def _episode_files(text: str, base: Path) -> list[Path]:
    datasets = base.parent / "datasets" / "audionav"
    files = [file for split in HEARD[text] for file in sorted(datasets.glob(f"*/v1/{split}/{split}.json.gz"))]
    if not files:
        wanted = " or ".join(f"{datasets}/mp3d/v1/{split}/{split}.json.gz" for split in HEARD[text])
        raise SoundError(
            f"--sound {text}: the split is read from SoundSpaces' episodes, and {wanted} is missing: unpack its "
            "datasets beside its sounds, or give a folder of sounds"
        )
    return files


def _named_by(files: list[Path], base: Path) -> tuple[str, ...]:
    names = {episode.sound for file in files for episode in iterate_episodes(file) if episode.sound}
    if not names:
        raise SoundError(f"the episodes of {files[0]} do not name a sound: choose another file, or --sound ring")
    return tuple(sorted(find_sound(name, base) for name in names))
