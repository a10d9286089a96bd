"""A command that fails in the requested way, to test how `avw` reports errors."""

import errno

import click

from avw.sim_bridge.errors import DatasetError, UsageError


@click.command()
@click.argument("how")
def fail(how: str) -> None:
    """Fail."""
    if how == "usage":
        raise UsageError("the folder holds another spec; type: avw info data/avw")
    if how == "dataset":
        raise DatasetError("train-00000.h5 is truncated; type: avw verify --repair")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "torch":
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    if how == "bug":
        raise ZeroDivisionError("a bug")
    if how == "disk":
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/x")
    click.echo(click.style("fine", fg="green") if how == "colour" else "fine")
