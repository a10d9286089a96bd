"""`avw view`: see and hear a dataset or a run in a browser, or write it as one file."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import click


@click.command()
@click.argument("what", type=click.Path(path_type=Path), default=Path("data/avw"))
@click.option(
    "--export",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one self-contained HTML file instead of serving a page.",
)
@click.option(
    "--episodes",
    metavar="LIST",
    help="What --export holds: e.g. 0,3-5, or all. Default: one episode of each motion mode.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free one.")
@click.option("--browser/--no-browser", default=True, help="Whether to open a browser.")
@click.option("--scene-root", type=click.Path(path_type=Path), envvar="AVW_SCENES", help="Where scans are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def view(
    what: Path, file: Path | None, episodes: str | None, port: int, browser: bool, scene_root: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """See and hear WHAT, a dataset's or a run's folder: pictures, depth, binaural sound, the way over the floor plan.

    The page is served on this machine only, read-only, under an address that others cannot guess; it loads nothing
    from the network. For a run it also shows what its model imagined.

    \b
    avw view                                        data/avw
    avw view runs/latest
    avw view data/avw --export tour.html --episodes 0,5-8
    """
    from avw.avw4k.viewing.library import Library

    library = Library(what, str(scene_root) if scene_root else None)
    if file is not None:
        from avw.avw4k.viewing.page import write_export

        chosen = library.chosen(episodes)
        size = write_export(library, chosen, file)
        text = f"{file} ({len(chosen)} clips, {size / 1e6:.1f} MB): open it in a browser."
        click.echo(json.dumps({"file": str(file), "clips": chosen, "bytes": size}) if as_json else text)
        return
    if episodes is not None:
        from avw.sim_bridge.errors import UsageError

        raise UsageError("--episodes chooses what --export writes; the page itself shows all. Add --export FILE")
    from avw.avw4k.viewing.server import ViewerServer

    with ViewerServer(library, port) as server:
        click.echo(json.dumps({"url": server.url, "port": server.server_port}) if as_json else server.url)
        click.echo("Ctrl-C ends it.", err=True)
        if browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo(err=True)
