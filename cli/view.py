"""`avw view`: show a dataset or a run in the browser, or write it as one HTML file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.cli.serving import serve


@command()
@click.argument("what", type=UserPath(), default=Path("data/avw"))
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
    what: Path, file: Path | None, episodes: str | None, port: int, browser: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Show WHAT, the folder of a dataset or a run: images, depth, binaural sound, and the path on the floor plan.

    WHAT is data/avw by default. For a run, the page also shows the predictions of its model. The server accepts
    connections from this machine only, under an address with a secret part, and never changes the data. The page
    loads nothing from the network.

    \b
    Examples:
      avw view                                        show data/avw
      avw view runs/latest
      avw view data/avw --export tour.html --episodes 0,5-8
    """
    from avw.avw4k.viewing.library import Library

    library = Library(what)
    if file is not None:
        from avw.avw4k.viewing.page import write_export

        chosen = library.chosen(episodes)
        size = write_export(library, chosen, file)
        text = f"wrote {file} ({len(chosen)} clips, {size / 1e6:.1f} MB). Open it in a browser."
        click.echo(json.dumps({"file": str(file), "clips": chosen, "bytes": size}) if as_json else text)
        return
    if episodes is not None:
        from avw.sim_bridge.errors import UsageError

        raise UsageError("--episodes needs --export FILE. Without --export, the page shows all episodes")
    from avw.avw4k.viewing.server import ViewerServer

    with ViewerServer(library, port) as server:
        serve(server, browser=browser, as_json=as_json)
