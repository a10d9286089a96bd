"""`avw doctor`: the physics tests on this machine, and what is installed on it."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version

import click

_PACKAGES = (
    "avw", "numpy", "scipy", "numba", "embreex", "trimesh", "h5py", "hdf5plugin", "gymnasium", "soundfile", "pydub",
    "torch", "safetensors", "einops", "rlr-audio-propagation",
)  # fmt: skip
_OPTIONAL = {
    "torch": "train, evaluate, navigate --policy mpc; type: pip install 'avw[model]'",
    "safetensors": "checkpoints; type: pip install 'avw[model]'",
    "einops": "the model; type: pip install 'avw[model]'",
    "rlr-audio-propagation": "--acoustics rlr (CC-BY-NC); type: pip install 'avw[rlr]'",
    "ffmpeg": "mp4 videos, and sounds that libsndfile cannot read; install it with your system's packages",
}


@click.command()
@click.option(
    "--acoustics",
    type=click.Choice(["emitters", "rlr"]),
    default="emitters",
    show_default=True,
    help="The acoustic engine to test.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else there.")
@click.pass_context
def doctor(context: click.Context, acoustics: str, as_json: bool) -> None:
    """Test the physics and the installation of this machine.

    Ears, distances, arrival times, reverberation and the sound stream are measured against theory. Exit code 0 if
    every check holds, 1 if one fails; what is wrong and what to do about it stands under the table.
    """
    from sim_bridge.selftest import run_checks

    installed = _installed()
    if not as_json:
        _print_machine(installed)
        click.echo(f"Physics of --acoustics {acoustics}:")
    results = []
    for check in run_checks(acoustics):
        results.append(check)
        if not as_json:
            mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
            click.echo(f"  {mark} {check.name:<52} {check.measured:<26} expected {check.expected}")
    failed = [check for check in results if not check.ok]
    if as_json:
        document = {
            "ok": not failed,
            "acoustics": acoustics,
            "machine": _machine(),
            "versions": installed,
            "checks": [asdict(check) for check in results],
        }
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"{len(results) - len(failed)} of {len(results)} checks hold.")
        for check in failed:
            click.echo(f"  {check.name}: measured {check.measured}, expected {check.expected}. {check.fix}.")
    context.exit(1 if failed else 0)


def _machine() -> dict[str, str | int]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }


def _installed() -> dict[str, str | None]:
    """The version of every package that matters, None where it is absent; for ffmpeg, where it is."""
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    found["ffmpeg"] = shutil.which("ffmpeg")
    return found


def _print_machine(installed: dict[str, str | None]) -> None:
    machine = _machine()
    click.echo(f"Python {machine['python']} on {machine['system']}, {machine['cpus']} cores")
    click.echo("  " + ", ".join(f"{name} {number}" for name, number in installed.items() if number))
    for name, number in installed.items():
        if number is None:
            use = _OPTIONAL.get(name)
            click.echo(f"  not installed: {name}" + (f" (needed for {use})" if use else " (type: make install)"))
