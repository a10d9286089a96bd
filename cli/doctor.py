"""`avw doctor`: test the physics on this machine, and list installed packages and their licences."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.sim_bridge.simulators.protocol import ACOUSTICS

_PACKAGES = (
    "avw", "numpy", "scipy", "numba", "embreex", "trimesh", "h5py", "hdf5plugin", "gymnasium", "pyarrow", "pillow",
    "soundfile", "pydub", "torch", "safetensors", "einops", "rlr-audio-propagation",
)  # fmt: skip
_OPTIONAL = {
    "torch": "avw train, evaluate and navigate --policy mpc. Install it with: pip install 'avw[model]'",
    "safetensors": "checkpoints. Install it with: pip install 'avw[model]'",
    "einops": "the model. Install it with: pip install 'avw[model]'",
    "rlr-audio-propagation": "--acoustics rlr (CC-BY-NC). Install it with: pip install 'avw[rlr]'",
    "ffmpeg": "MP4 videos, and sound files that libsndfile cannot read. Install it with your system's package manager",
}
_TERMS = {
    "acoustics emitters": "part of AVW, MIT",
    "acoustics rlr": "RLR-Audio-Propagation, CC-BY-NC-4.0: no commercial use, which includes data made with it",
    "acoustics habitat": "the same engine in the audio sensor of habitat-sim, same licence",
    "head-related responses": "MIT KEMAR (Gardner & Martin 1994): free for any use, cite the authors",
    "sound 'ring'": "synthesised by AVW, MIT",
}
_LICENCE_LENGTH = 40  # some packages put the whole licence text in the field for its name


@command()
@option("--backend", type=click.Choice(["embedded", "habitat"]), default="embedded", show_default=True,
        section=shared.SIMULATOR, help="Simulator backend to test.")  # fmt: skip
@shared.habitat_python
@option("--acoustics", type=click.Choice(ACOUSTICS), default="emitters", show_default=True, section=shared.SIMULATOR,
        help="Acoustic engine to test; habitat is the audio sensor of --backend habitat.")  # fmt: skip
@shared.json_output
@click.pass_context
def doctor(context: click.Context, backend: str, acoustics: str, as_json: bool) -> None:
    """Test the physics of the simulator on this machine, and list installed packages and licences.

    The tests compare measurements with theory: directions, distances, walls, edges, reverberation, the sound stream,
    depth images and free floor areas. With --backend habitat they run on Habitat-Sim, and known faults of its builds
    are part of the tests. Exit code 0: all tests pass. Exit code 1: a test fails; the cause and the remedy are printed
    below the table.

    \b
    Examples:
      avw doctor
      avw doctor --acoustics rlr
      avw doctor --backend habitat --habitat-python ~/miniconda3/envs/habitat/bin/python
    """
    from avw.sim_bridge.selftest.run_checks import run_checks

    installed = _installed()
    if not as_json:
        _print_machine(installed)
        click.echo(f"Physics tests with --backend {backend} and --acoustics {acoustics}:")
        click.echo(f"       {'test':<50} {'measured':<44} expected")
    results = []
    for check in run_checks(acoustics, backend):
        results.append(check)
        if not as_json:
            mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
            click.echo(f"  {mark} {check.name:<50} {check.measured:<44} {check.expected}")
    failed = [check for check in results if not check.ok]
    if as_json:
        document = {
            "ok": not failed,
            "backend": backend,
            "acoustics": acoustics,
            "machine": _machine(),
            "versions": {name: found and found[0] for name, found in installed.items()},
            "licences": {**{name: found[1] for name, found in installed.items() if found}, **_TERMS},
            "checks": [asdict(check) for check in results],
        }
        click.echo(json.dumps(document, indent=2))
    else:
        seconds = sum(check.seconds for check in results)
        click.echo(f"{len(results) - len(failed)} of {len(results)} tests passed ({seconds:.0f} s).")
        for check in failed:
            click.echo(f"  {check.name}: measured {check.measured}, expected {check.expected}. {check.fix}.")
    context.exit(1 if failed else 0)


def _machine() -> dict[str, str | int]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }


def _installed() -> dict[str, tuple[str, str] | None]:
    """(version, licence) of every relevant package, or None if it is missing; for ffmpeg, (path, licence)."""
    found: dict[str, tuple[str, str] | None] = {}
    for package in _PACKAGES:
        try:
            metadata = distribution(package)
        except PackageNotFoundError:
            found[package] = None
        else:
            found[package] = metadata.version, _licence(metadata)
    ffmpeg = shutil.which("ffmpeg")
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


def _print_machine(installed: dict[str, tuple[str, str] | None]) -> None:
    machine = _machine()
    click.echo(f"Python {machine['python']} on {machine['system']}, {machine['cpus']} cores")
    click.echo("Installed packages and their licences:")
    for name, found in installed.items():
        if found is None:
            use = _OPTIONAL.get(name)
            click.echo(f"  {name}: not installed" + (f" (needed for {use})" if use else " (run: make install)"))
        else:
            click.echo(f"  {name} {found[0]} · {found[1]}")
    for name, terms in _TERMS.items():
        click.echo(f"  {name} · {terms}")
