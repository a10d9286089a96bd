"""`avw doctor`: test the physics on this machine, and list installed packages and their licences."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.sim_bridge.selftest.installation import OPTIONAL, TERMS, installed_packages, machine
from avw.sim_bridge.simulators.protocol import ACOUSTICS


@command()
@option("--backend", type=click.Choice(["embedded", "habitat"]), default="embedded", show_default=True,
        section=shared.SIMULATOR, help="Simulator backend to test.")  # fmt: skip
@shared.habitat_python
@option("--acoustics", type=click.Choice(ACOUSTICS), default="emitters", show_default=True, section=shared.SIMULATOR,
        help="Acoustic engine to test; habitat is the audio sensor of --backend habitat.")  # fmt: skip
@option("--compile", "compile_only", is_flag=True,
        help="Only compile all kernels for this machine, instead of when they are first used.")  # fmt: skip
@shared.json_output
@click.pass_context
def doctor(context: click.Context, backend: str, acoustics: str, compile_only: bool, as_json: bool) -> None:
    """Test the physics of the simulator on this machine, and list installed packages and licences.

    The tests compare measurements with theory: directions, distances, walls, edges, reverberation, the sound stream,
    depth images and free floor areas. With --backend habitat they run on Habitat-Sim, and known faults of its builds
    are part of the tests. Exit code 0: all tests pass. Exit code 1: a test fails; the cause and the remedy are printed
    below the table.

    \b
    Examples:
      avw doctor
      avw doctor --compile
      avw doctor --acoustics rlr
      avw doctor --backend habitat --habitat-python ~/envs/habitat/bin/python
    """
    if compile_only:
        from avw.cli.compile_ahead import compile_ahead

        compile_ahead()
        return
    from avw.sim_bridge.selftest.run_checks import run_checks

    installed = installed_packages()
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
            "machine": machine(),
            "versions": {name: found and found[0] for name, found in installed.items()},
            "licences": {**{name: found[1] for name, found in installed.items() if found}, **TERMS},
            "checks": [asdict(check) for check in results],
        }
        click.echo(json.dumps(document, indent=2))
    else:
        seconds = sum(check.seconds for check in results)
        click.echo(f"{len(results) - len(failed)} of {len(results)} tests passed ({seconds:.0f} s).")
        for check in failed:
            click.echo(f"  {check.name}: measured {check.measured}, expected {check.expected}. {check.fix}.")
    context.exit(1 if failed else 0)


def _print_machine(installed: dict[str, tuple[str, str] | None]) -> None:
    facts = machine()
    click.echo(f"Python {facts['python']} on {facts['system']}, {facts['cpus']} cores")
    click.echo("Installed packages and their licences:")
    for name, found in installed.items():
        if found is None:
            use = OPTIONAL.get(name)
            click.echo(f"  {name}: not installed" + (f" (needed for {use})" if use else " (run: make install)"))
        else:
            click.echo(f"  {name} {found[0]} · {found[1]}")
    for name, terms in TERMS.items():
        click.echo(f"  {name} · {terms}")
