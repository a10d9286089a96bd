"""All errors that AVW raises. A message says what is wrong, where, the likely cause, and what to type next."""

from __future__ import annotations


class AvwError(Exception):
    """Base class of all errors that AVW raises on purpose; the CLI prints the message and exits with `exit_code`."""

    exit_code = 1


class UsageError(AvwError):
    """The request is not valid: a wrong value, a missing file, or options that cannot be combined."""

    exit_code = 2


class SceneError(UsageError):
    """A scene is missing, is not a mesh, or has no floor to stand on."""


class SoundError(UsageError):
    """A sound is missing or cannot be read."""


class BackendError(AvwError):
    """A simulator or acoustic engine is not installed, has failed, or did not pass its self-test."""


class StuckError(AvwError):
    """The shortest-path follower cannot go on: there are gaps that the geodesic allows and motion does not."""


class DatasetError(AvwError):
    """A dataset is missing, truncated, changed, unsafe to read, or was made with another spec."""


class NoDatasetError(UsageError, DatasetError):
    """A folder that was named as a dataset holds none."""


class CheckpointError(AvwError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class RunError(CheckpointError, DatasetError):
    """A file of a run (its configuration, log or results) is missing, damaged, or not as AVW writes it."""


class NoRunError(UsageError, RunError):
    """A folder that was named as a run holds none."""


class TrainingError(AvwError):
    """A training cannot go on: a gradient is not finite, the memory is full, or another process is lost."""


class PolicyError(AvwError):
    """The code of a user's policy raised an exception; the message contains its traceback."""


MODEL_EXTRA = ("torch", "safetensors", "einops")  # the modules of `pip install 'avw[model]'`


def missing_model_extra(what: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """`error` with the command that installs what `what` needs; `error` itself if another module is missing."""
    if (error.name or "").split(".")[0] not in MODEL_EXTRA:
        return error
    sentence = f"{what} needs {error.name}, which is not installed; type: pip install 'avw[model]'"
    return ModuleNotFoundError(sentence, name=error.name)
