"""`avw doctor`: the physics tests on this machine, what is installed on it, and under which terms."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import click

from avw.cli.habitat_option import habitat_python

_PACKAGES = (
    "avw", "numpy", "scipy", "numba", "embreex", "trimesh", "h5py", "hdf5plugin", "gymnasium", "pyarrow", "pillow",
    "soundfile", "pydub", "torch", "safetensors", "einops", "rlr-audio-propagation",
)  # fmt: skip
_OPTIONAL = {
    "torch": "train, evaluate, navigate --policy mpc; type: pip install 'avw[model]'",
    "safetensors": "checkpoints; type: pip install 'avw[model]'",
    "einops": "the model; type: pip install 'avw[model]'",
    "rlr-audio-propagation": "--acoustics rlr (CC-BY-NC); type: pip install 'avw[rlr]'",
    "ffmpeg": "mp4 videos, and sounds that libsndfile cannot read; install it with your system's packages",
}
_TERMS = {
    "acoustics emitters": "AVW's own, MIT",
    "acoustics rlr": "RLR-Audio-Propagation, CC-BY-NC-4.0: no commercial use, nor of data made with it",
    "acoustics habitat": "the same engine inside habitat-sim's audio sensor, under the same terms",
    "head-related responses": "MIT KEMAR (Gardner & Martin 1994): free for any use, cite the authors",
    "sound 'ring'": "synthesised by AVW, MIT",
}
_LICENCE_LENGTH = 40  # some packages put a whole licence where its name belongs


@click.command()
@click.option(
    "--backend",
    type=click.Choice(["embedded", "habitat"]),
    default="embedded",
    show_default=True,
    help="The simulator to test.",
)
@habitat_python
@click.option(
    "--acoustics",
    type=click.Choice(["emitters", "rlr", "habitat"]),
    default="emitters",
    show_default=True,
    help="The acoustic engine to test; habitat: the audio sensor of --backend habitat.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else there.")
@click.pass_context
def doctor(context: click.Context, backend: str, acoustics: str, as_json: bool) -> None:
    """Test the physics and the installation of this machine.

    Ears, distances, walls, edges, reverberation, the sound stream, the depth of pictures and free floors are measured
    against theory; versions and licences are listed. With --backend habitat they are measured on a Habitat-Sim, and
    whatever is wrong with that is among the checks. Exit code 0 if every check holds, 1 if one fails; what is wrong
    and what to do about it stands under the table.
    """
    from avw.sim_bridge.selftest.run_checks import run_checks

    installed = _installed()
    if not as_json:
        _print_machine(installed)
        click.echo(f"Physics of --acoustics {acoustics}, sight and free floors, with --backend {backend}:")
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
        click.echo(f"{len(results) - len(failed)} of {len(results)} checks hold ({seconds:.0f} s).")
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
    """(version, licence) of every package that matters, None where it is absent; for ffmpeg, where it is."""
    found: dict[str, tuple[str, str] | None] = {}
    for package in _PACKAGES:
        try:
            metadata = distribution(package)
        except PackageNotFoundError:
            found[package] = None
        else:
            found[package] = metadata.version, _licence(metadata)
    ffmpeg = shutil.which("ffmpeg")
    found["ffmpeg"] = (ffmpeg, "LGPL or GPL, as it was built") if ffmpeg else None
    return found


def _licence(package: Distribution) -> str:
    """The licence as the package itself names it, in a few words."""
    metadata = package.metadata
    stated = {key: (metadata.get_all(key) or [""])[0].strip() for key in ("License-Expression", "License")}
    classified = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if "License ::" in line]
    name = stated["License-Expression"] or ", ".join(classified) or stated["License"].partition("\n")[0]
    if not name:
        return "see its own files"
    return name if len(name) <= _LICENCE_LENGTH else f"{name[:_LICENCE_LENGTH].rpartition(' ')[0]} ..."


def _print_machine(installed: dict[str, tuple[str, str] | None]) -> None:
    machine = _machine()
    click.echo(f"Python {machine['python']} on {machine['system']}, {machine['cpus']} cores")
    click.echo("Installed, and its licence:")
    for name, found in installed.items():
        if found is None:
            use = _OPTIONAL.get(name)
            click.echo(f"  {name}: not installed" + (f" (needed for {use})" if use else " (type: make install)"))
        else:
            click.echo(f"  {name} {found[0]} · {found[1]}")
    for name, terms in _TERMS.items():
        click.echo(f"  {name} · {terms}")
