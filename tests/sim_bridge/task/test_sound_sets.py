"""Values of --sound: files, folders, and SoundSpaces' sounds with the splits that its episodes define."""

from __future__ import annotations

from pathlib import Path

import pytest

from avw.sim_bridge.errors import SoundError
from avw.sim_bridge.task.sound_sets import expand_sounds, find_sound
from tests.sim_bridge.audionav_files import row, write_split

HEARD, VAL, TEST = ("telephone", "fan", "bowl"), ("birds",), ("engine", "waves")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """SoundSpaces' data folder as it comes out of its archives, with empty clips."""
    root = tmp_path / "data" / "sounds"
    for name in (*HEARD, *VAL, *TEST):
        clip(root / "1s_all" / f"{name}.wav")
    for split in ("train", "val"):
        clip(root / "semantic_splits" / split / f"chair_{split}.wav")
    episodes = tmp_path / "data" / "datasets" / "audionav"
    for collection in ("mp3d", "replica"):
        for split, names in (("train_multiple", HEARD), ("val_multiple_unheard", VAL), ("test_multiple_unheard", TEST)):
            rows = {"a": [row(str(i), info={"sound": name}) for i, name in enumerate(names)]}
            write_split(episodes / collection / "v1" / split, [], rows)
    return root


def clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def names(found: tuple[str, ...]) -> list[str]:
    return [Path(path).stem for path in found]


def test_heard_and_unheard_are_read_from_the_episodes(sounds: Path) -> None:
    heard = expand_sounds("heard", sounds)
    assert names(heard) == sorted(HEARD)
    assert heard == expand_sounds("heard:train", sounds)
    assert names(expand_sounds("unheard:val", sounds)) == sorted(VAL)
    assert names(expand_sounds("unheard:test", sounds)) == sorted(TEST)
    assert names(expand_sounds("unheard", sounds)) == sorted((*VAL, *TEST))
    assert not set(heard) & set(expand_sounds("unheard", sounds))


def test_folders_single_sounds_and_episode_files(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(expand_sounds("1s_all", sounds)) == 6
    assert names(expand_sounds("semantic_splits:val", sounds)) == ["chair_val"]
    assert expand_sounds("telephone", sounds) == (str(sounds / "1s_all" / "telephone.wav"),)
    assert expand_sounds(str(sounds / "1s_all")) == expand_sounds("1s_all", sounds)
    episodes = sounds.parent / "datasets/audionav/mp3d/v1/train_multiple/train_multiple.json.gz"
    assert expand_sounds(str(episodes), sounds) == expand_sounds("heard", sounds)
    monkeypatch.setenv("AVW_SOUNDS", str(sounds))
    assert expand_sounds("heard") == expand_sounds("heard", sounds)
    assert find_sound("train/chair_train.wav") == str(sounds / "semantic_splits" / "train" / "chair_train.wav")


def test_other_names_are_returned_unchanged(sounds: Path) -> None:
    assert expand_sounds("ring", sounds) == ("ring",)
    assert expand_sounds("nonsense", sounds) == ("nonsense",)


def test_missing_sounds_are_errors_with_a_fix(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(SoundError, match=r"no sound in .*semantic_splits.*choose one of its folders, e\.g\. .*train"):
        expand_sounds("semantic_splits", sounds)
    with pytest.raises(SoundError, match=r"train_multiple\.json\.gz is missing: unpack its datasets"):
        expand_sounds("heard", tmp_path / "elsewhere")
    with pytest.raises(SoundError, match=r"no sound 'violin' under .*--sound-root DIR"):
        find_sound("violin", sounds)
    for name in ("../../secret.wav", "/etc/secret.wav"):
        with pytest.raises(SoundError, match="no sound"):
            find_sound(name, sounds)
