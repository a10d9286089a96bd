"""`avw view`: show a dataset, a run or trainings in the browser, or write a dataset as one HTML file."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.cli.serving import serve
from avw.model.run_folder import CONFIG, LATEST, has_model, is_run, run_data
from avw.sim_bridge.wording import plural


@command()
@click.argument("what", type=UserPath(), nargs=-1, metavar="[WHAT]...")
@option("--training", is_flag=True,
        help="Show the training of the runs WHAT, also while it goes on; implied for several runs, and for a run "
        "without a finished model.")  # fmt: skip
@option("--export", "file", type=UserPath(dir_okay=False), metavar="FILE",
        help="Write one self-contained HTML file instead of starting a server.")  # fmt: skip
@option("--episodes", metavar="LIST", default_text="one episode per motion mode",
        help="Episodes to write with --export, e.g. 0,3-5, or all.")  # fmt: skip
@option("--port", type=click.IntRange(0, 65535), metavar="PORT", default=0, default_text="any free port",
        help="Port of the server.")  # fmt: skip
@option("--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser.")
@shared.scene_root
@shared.json_output
def view(
    what: tuple[Path, ...], training: bool, file: Path | None, episodes: str | None, port: int, browser: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Show WHAT, the folder of a dataset or a run: images, depth, binaural sound, and the path on the floor plan.

    WHAT is data/avw by default. For a run, the page also shows the predictions of its model. The server accepts
    connections from this machine only, under an address with a secret part, and never changes the data. The page
    loads nothing from the network.

    The training page shows losses of the training and the validation split, learning rate, norm of the gradient and
    speed, and updates itself while `avw train` runs. Of several runs it also shows how their configurations differ.

    \b
    Examples:
      avw view                                        show data/avw
      avw view runs/latest
      avw view runs/latest --training
      avw view runs/first runs/second                 compare two trainings
      avw view data/avw --export tour.html --episodes 0,5-8
    """
    from avw.avw4k.viewing.library import Library
    from avw.sim_bridge.errors import UsageError

    folder = what[0] if what else Path("data/avw")
    if training or len(what) > 1 or _is_unfinished(folder):
        if file is not None or episodes is not None:
            raise UsageError("--export and --episodes are for a dataset, or for one run with a finished model")
        from avw.model.report.living import LivingServer

        with LivingServer(what or [LATEST], port) as living:
            serve(living, browser=browser, as_json=as_json)
        return
    library = Library(folder, _dataset_of(folder))
    if file is not None:
        from avw.avw4k.viewing.page import write_export

        chosen = library.chosen(episodes)
        size = write_export(library, chosen, file)
        text = f"wrote {file} ({plural(len(chosen), 'clip')}, {size / 1e6:.1f} MB). Open it in a browser."
        click.echo(json.dumps({"file": str(file), "clips": chosen, "bytes": size}) if as_json else text)
        return
    if episodes is not None:
        raise UsageError("--episodes needs --export FILE. Without --export, the page shows all episodes")
    from avw.avw4k.viewing.server import ViewerServer

    with ViewerServer(library, port) as server:
        serve(server, browser=browser, as_json=as_json)


def _dataset_of(folder: Path) -> Path | None:
    """The dataset of a run, also after both were moved. None for other folders, and if it is not found."""
    from avw.sim_bridge.errors import RunError

    with suppress(RunError):
        return run_data(folder) if is_run(folder) else None
    return None


def _is_unfinished(folder: Path) -> bool:
    """Whether a folder is a run that is being trained, or was interrupted."""
    return is_run(folder) and (folder / CONFIG).is_file() and not has_model(folder)
