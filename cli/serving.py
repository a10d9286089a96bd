"""A page of this machine in the browser, until Ctrl-C."""

from __future__ import annotations

import json
import webbrowser
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from avw.avw4k.viewing.local_server import LocalServer


def serve(server: LocalServer, *, browser: bool, as_json: bool) -> None:
    """Print the address of the server, open it in a browser if wanted, and answer requests until Ctrl-C."""
    click.echo(json.dumps({"url": server.url, "port": server.server_port}) if as_json else server.url)
    click.echo("Press Ctrl-C to stop the server.", err=True)
    if browser:
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo(err=True)
