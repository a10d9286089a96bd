"""Error messages about Habitat-Sim: what failed, where, the likely cause, and what to type next."""

from __future__ import annotations

_GUIDE = "docs/habitat.md says how to install it"
_EMBEDDED = "or use --backend embedded, which does not need it"
OLDEST = "0.2.2"


def no_python(python: str, error: OSError) -> str:
    """--habitat-python is not a program."""
    reason = error.strerror or str(error)
    return (
        f"--habitat-python {python!r} cannot be run ({reason}): type --habitat-python (or "
        "set AVW_HABITAT_PYTHON) with the Python of the environment that has habitat-sim, such as "
        "~/miniconda3/envs/habitat/bin/python"
    )


def no_hello(python: str, how: str, words: str) -> str:
    """The process ended before its first reply: it is not a Python, or importing habitat_sim crashes it."""
    return (
        f"{python!r} {ended(how)} before Habitat-Sim answered{words}. If it is not a Python, give one with "
        f"--habitat-python; if it is, `{python} -c 'import habitat_sim'` shows the reason; {_EMBEDDED}"
    )


def refused(python: str, kind: str, said: str) -> str:
    """The worker replied that it cannot do something."""
    if kind == "import" and "EGL" in said:
        return (
            f"habitat-sim in {python} finds no EGL ({said}): install libegl1 (Debian: apt install libegl1 libgl1), "
            f"or a headless build; {_EMBEDDED}"
        )
    if kind == "import" and ("No module" in said or "ModuleNotFound" in said):
        return (
            f"habitat-sim is not installed in {python} ({said}): name the Python that has it with --habitat-python or "
            f"AVW_HABITAT_PYTHON ({_GUIDE}), {_EMBEDDED}"
        )
    if kind == "import":
        return f"habitat-sim in {python} cannot be imported ({said}): repair that environment ({_GUIDE}), {_EMBEDDED}"
    if kind == "soundspaces":
        return (
            f"SoundSpaces cannot be used in {python} ({said}): type `pip install -e sound-spaces` in its checkout, or "
            "set AVW_SOUNDSPACES to it; it needs habitat-lab 0.2.2 beside it (docs/soundspaces.md). --stream "
            "soundspaces gives the same kind of sound without it"
        )
    if kind == "soundspaces without audio":
        return (
            f"SoundSpaces needs a habitat-sim that was built with audio ({said} in {python}): conda has no such "
            "package, so build it with --audio (docs/habitat.md). --stream soundspaces gives the same kind of sound "
            "without it"
        )
    if kind == "too old":
        return f"{said} in {python}, and AVW needs {OLDEST} or newer: update it ({_GUIDE}), {_EMBEDDED}"
    if kind == "protocol":
        return f"the worker in {python} is of another version of AVW ({said}): keep one installation of AVW only"
    if kind == "no audio":
        return (
            f"{said} in {python} was built without audio, like the packages from conda: use --acoustics emitters or "
            f"rlr, which do not need it, or build it from source with its audio option ({_GUIDE})"
        )
    return f"Habitat-Sim refused ({said}). `avw info SCENE` checks whether the scene can be read"


def no_navmesh(scene: str, said: str) -> str:
    """The scene can be read, but it has no floor to walk on."""
    return (
        f"scene {scene!r} has no navigation mesh: Habitat-Sim says that {said}. Delete a damaged .navmesh beside the "
        "mesh to have it computed, and check with `avw info SCENE` that the mesh is upright and in metres"
    )


def mirrored(python: str, version: str, found: str) -> str:
    """SoundSpaces failed the check with a test source: it places the source wrongly."""
    return (
        f"SoundSpaces on habitat-sim {version} in {python} hears the source in the wrong place: {found}. The audio "
        "sensor of habitat-sim 0.3.1 and later misreads its position (its issue 2632): use 0.3.0 or a patched build, "
        "or --backend habitat --stream soundspaces, whose sound AVW computes"
    )


def died(python: str, scene: str, how: str, words: str, times: int) -> str:
    """Habitat-Sim crashed repeatedly on the same request."""
    if "EGL" in words or "GL context" in words or "CUDA" in words:
        return (
            f"habitat-sim in {python} {ended(how)} because it has no graphics context{words}. Without an NVIDIA "
            f"card it needs Mesa's EGL (Debian: apt install libegl1 libgl1-mesa-dri); with one, a driver with EGL; "
            f"{_EMBEDDED}"
        )
    where = f"{times} times in a row in scene {scene!r}" if times > 1 else f"in scene {scene!r}"
    return (
        f"Habitat-Sim {ended(how)} {where}{words}. Most likely it cannot read the mesh or "
        "the navigation mesh: check the scene with `avw info`, download it again, or use --backend embedded"
    )


def ended(how: str) -> str:
    """A predicate: "ended with signal 11", "was stopped"."""
    return how if how.startswith(("was ", "hung")) else f"ended with {how}"


def misplaced(python: str, version: str, found: str) -> str:
    """The audio sensor failed the check with test sources."""
    return (
        f"the audio sensor of habitat-sim {version} in {python} places sources wrongly ({found}): most "
        "likely it has the bug of versions 0.3.1 and later (issue 2632 of habitat-sim), whose sensor reads the "
        "position of a source one number too late. Use --acoustics emitters or rlr, which do not need it; or a version "
        "from 0.2.2 to 0.3.0; or build it from source with the indices 1, 2, 3 of lastSourcePos_ in AudioSensor.cpp "
        "changed to 0, 1, 2"
    )


def died_listening(scene: str, times: int) -> str:
    """Habitat-Sim crashes each time the episode is repeated."""
    return (
        f"Habitat-Sim crashed {times} times on one response of its audio sensor in scene {scene!r}: its engine "
        "aborts on geometry that it cannot process. Use --acoustics emitters"
    )
