"""One tree of errors. A message says what, where, the likely cause, and what to type next."""

from __future__ import annotations


class AvwError(Exception):
    """Every error that AVW raises on purpose; the CLI prints it as one sentence and exits with `exit_code`."""

    exit_code = 1


class UsageError(AvwError):
    """The request itself cannot be met: a wrong value, a missing file, a combination that makes no sense."""

    exit_code = 2


class SceneError(UsageError):
    """A scene that is missing, is not a mesh, or has no floor to stand on."""


class SoundError(UsageError):
    """A sound that is missing or unreadable."""


class BackendError(AvwError):
    """A simulator or acoustic engine that is not installed, failed, or did not pass its self-test."""


class DatasetError(AvwError):
    """A dataset that is absent, truncated, altered, hostile, or holds another spec."""


class CheckpointError(AvwError):
    """A checkpoint that is absent, damaged, or of another model."""


MODEL_EXTRA = ("torch", "safetensors", "einops")  # the modules of `pip install 'avw[model]'`


def missing_model_extra(what: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """`error` with the command that installs what `what` needs; `error` itself if another module is missing."""
    if (error.name or "").split(".")[0] not in MODEL_EXTRA:
        return error
    sentence = f"{what} needs {error.name}, which is not installed; type: pip install 'avw[model]'"
    return ModuleNotFoundError(sentence, name=error.name)
