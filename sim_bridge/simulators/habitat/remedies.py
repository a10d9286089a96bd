"""What goes wrong with a Habitat-Sim, in one sentence each: what, where, the likely cause, and what to type next."""

from __future__ import annotations

_GUIDE = "docs/habitat.md says how to install it"
_EMBEDDED = "or use --backend embedded, which needs none of it"
OLDEST = "0.2.2"


def no_python(python: str, error: OSError) -> str:
    """--habitat-python names nothing that can be run."""
    reason = error.strerror or str(error)
    return (
        f"--habitat-python {python!r} cannot be run ({reason}): give the Python of the environment that has "
        "habitat-sim, such as ~/miniconda3/envs/habitat/bin/python"
    )


def no_hello(python: str, how: str, words: str) -> str:
    """The process did not even introduce itself: no Python, or one in which the import kills it."""
    return (
        f"{python!r} {ended(how)} before Habitat-Sim could say hello{words}. If it is no Python, give one with "
        f"--habitat-python; if it is, `{python} -c 'import habitat_sim'` shows the reason; {_EMBEDDED}"
    )


def refused(python: str, kind: str, said: str) -> str:
    """The worker answered that it cannot."""
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
        return f"habitat-sim in {python} cannot be imported ({said}): mend that environment ({_GUIDE}), {_EMBEDDED}"
    if kind == "soundspaces":
        return (
            f"SoundSpaces cannot be used in {python} ({said}): type `pip install -e sound-spaces` in its checkout, or "
            "set AVW_SOUNDSPACES to it; it needs habitat-lab 0.2.2 beside it (docs/soundspaces.md). --stream "
            "soundspaces gives its sound without it"
        )
    if kind == "soundspaces deaf":
        return (
            f"SoundSpaces needs a habitat-sim that was built with audio ({said} in {python}): conda has none, build it "
            "with --audio (docs/habitat.md). --stream soundspaces gives its sound without it"
        )
    if kind == "too old":
        return f"{said} in {python}, and AVW needs {OLDEST} or newer: update it ({_GUIDE}), {_EMBEDDED}"
    if kind == "protocol":
        return f"the worker in {python} is of another version of AVW ({said}): install one AVW only"
    if kind == "no audio":
        return (
            f"{said} in {python} was built without audio, as those from conda are: use --acoustics emitters or rlr, "
            f"which need nothing of it, or build it from source with its audio option ({_GUIDE})"
        )
    return f"Habitat-Sim refused ({said}). `avw info SCENE` tells whether the scene can be read at all"


def no_navmesh(scene: str, said: str) -> str:
    """The scene is there, but nothing of it can be walked on."""
    return (
        f"scene {scene!r} has no navigation mesh: Habitat-Sim says that {said}. Delete a damaged .navmesh beside the "
        "mesh to have it computed, and check with `avw info SCENE` that the mesh is upright and in metres"
    )


def mirrored(python: str, version: str, found: str) -> str:
    """SoundSpaces was tried by sound, and places the source wrongly."""
    return (
        f"SoundSpaces on habitat-sim {version} in {python} hears the source in the wrong place: {found}. The audio "
        "sensor of habitat-sim 0.3.1 and later misreads its position (its issue 2632): use 0.3.0 or a mended build, or "
        "--backend habitat --stream soundspaces, whose sound is made here"
    )


def died(python: str, scene: str, how: str, words: str, times: int) -> str:
    """The same request killed it again and again."""
    if "EGL" in words or "GL context" in words or "CUDA" in words:
        return (
            f"habitat-sim in {python} {ended(how)} for want of a graphics context{words}. Without an NVIDIA card it "
            f"needs Mesa's EGL (Debian: apt install libegl1 libgl1-mesa-dri); with one, a driver with EGL; {_EMBEDDED}"
        )
    where = f"{times} times in a row in scene {scene!r}" if times > 1 else f"in scene {scene!r}"
    return (
        f"Habitat-Sim {ended(how)} {where}{words}. It dies of meshes and navigation "
        "meshes that it cannot take: check the scene with `avw info`, download it again, or use --backend embedded"
    )


def ended(how: str) -> str:
    """As a verb: "ended with signal 11", "was stopped"."""
    return how if how.startswith(("was ", "hung")) else f"ended with {how}"


def misplaced(python: str, version: str, found: str) -> str:
    """Its audio sensor did not pass the self-test by sound."""
    return (
        f"the audio sensor of habitat-sim {version} in {python} hears sources where they are not ({found}): most "
        "likely it has the bug of versions 0.3.1 and later (issue 2632 of habitat-sim), whose sensor takes (y, z, "
        "nothing) for a source's (x, y, z). Use --acoustics emitters or rlr, which need nothing of it; or a version "
        "from 0.2.2 to 0.3.0; or build it from source with the indices 1, 2, 3 of lastSourcePos_ in AudioSensor.cpp "
        "made 0, 1, 2"
    )


def died_listening(scene: str, times: int) -> str:
    """It dies wherever the episode is taken up again."""
    return (
        f"Habitat-Sim died {times} times over one response of its audio sensor in scene {scene!r}: the engine in it "
        "aborts on geometry that it cannot take. Use --acoustics emitters"
    )
