"""`avw play`: walk through a scene in the browser, beside what a model imagines of the same actions."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.cli.serving import serve
from avw.model.run_folder import MODEL
from avw.sim_bridge.paths import local_path
from avw.sim_bridge.suggestions import similar_path

if TYPE_CHECKING:
    from avw.model.play.session import PlayConfig
    from avw.model.world_model import WorldModel


@command()
@click.argument("what", required=False, metavar="[RUN|SCENE]")
@option("--scene", metavar="SCENE", default_text="a test house of the run",
        help="With RUN: scene to walk through: a generated house, a scan, or a mesh file.")  # fmt: skip
@option("--anchor-every", type=click.IntRange(0, 10_000), metavar="N", default=16, show_default=True,
        help="With RUN: steps after which the imagination begins again from the simulator; 0: never. Can be changed "
        "on the page.")  # fmt: skip
@shared.seed("the first walk: its start and the place of the source")
@shared.sound(None, "ring, or as in the dataset of the run")
@shared.sound_root
@shared.scene_root
@option("--out", type=UserPath(file_okay=False), metavar="DIR", default=Path("recordings"), show_default=True,
        help="Folder for recordings that are made on the page.")  # fmt: skip
@option("--port", type=click.IntRange(0, 65535), metavar="PORT", default=0, default_text="any free port",
        help="Port of the server.")  # fmt: skip
@option("--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser.")
@shared.device("cpu")
@shared.json_output
def play(
    what: str | None, scene: str | None, anchor_every: int, seed: int, sound: str | None, sound_root: Path | None,
    out: Path, port: int, browser: bool, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Walk through a house with the arrow keys, with binaural sound, in the browser.

    With a RUN, the folder of a trained model, the page shows what happens on the left, and on the right what the model
    imagines of the same actions, both with sound. With a SCENE or without an argument, it shows the simulator alone.
    The server accepts connections from this machine only, under an address with a secret part. The page loads nothing
    from the network. Ctrl-C stops the server.

    \b
    Examples:
      avw play                                        a generated house
      avw play procedural-0042 --seed 3
      avw play flat.glb --sound alarm.wav
      avw play runs/latest                            a test house, and what the model imagines
      avw play runs/latest --scene procedural-0042 --anchor-every 0
      avw play --no-browser --port 8000               on a server; then: ssh -L 8000:localhost:8000 SERVER
    """
    from avw.model.play.site import PlayServer
    from avw.sim_bridge.process.compilation import announced_compilation

    run = _run(what)
    with announced_compilation(lambda line: click.echo(line, err=True)):
        config, model = _opened(run, what, scene, device)
        if sound is not None:
            from avw.sim_bridge.task.sound_sets import expand_sounds

            config = dataclasses.replace(config, sound=expand_sounds(sound, sound_root)[0])
        config = dataclasses.replace(config, seed=seed, anchor_every=anchor_every)
        with PlayServer(config, model, run=str(run or ""), port=port, out=out) as server:
            click.echo(f"Opening {config.scene} …", err=True)
            server.prepare()
            serve(server, browser=browser, as_json=as_json)


def _run(what: str | None) -> Path | None:
    """The run that WHAT names; None for a scene. Raises CheckpointError for a folder without a trained model."""
    from avw.sim_bridge.errors import CheckpointError

    if what is None:
        return None
    path = local_path(what)
    if path.suffix == ".safetensors" and path.is_file():
        return path.parent if path.name == MODEL else path
    if (path / MODEL).is_file():
        return path
    if path.is_dir() or what.startswith(("runs/", "data/")):
        meant = similar_path(path) if not path.exists() else ""
        remedy = f"Train one with: avw train DATA --out {what}"
        raise CheckpointError(f"{what} contains no trained model.{meant or f' {remedy}'}")
    return None


def _opened(run: Path | None, what: str | None, scene: str | None, device: str) -> tuple[PlayConfig, WorldModel | None]:
    """Where to walk, and the model that imagines it."""
    from avw.model.play.session import PlayConfig, default_config
    from avw.sim_bridge.errors import UsageError

    if run is None:
        if what is not None and scene is not None:
            raise UsageError("--scene goes with a RUN; without one, type the scene alone: avw play SCENE")
        name, simulator, sound = default_config(None, what or scene)
        return PlayConfig(scene=name, simulator=simulator, sound=sound), None
    import torch

    from avw.model.device import pick_device
    from avw.model.world_model import WorldModel

    model = WorldModel.load(run, pick_device(device))
    torch.set_num_threads(1)  # the networks are small, and the browser needs a core of its own
    name, simulator, sound = default_config(run if run.is_dir() else run.parent, scene)
    simulator = dataclasses.replace(simulator, size=model.size, hfov=model.hfov)
    return PlayConfig(scene=name, simulator=simulator, sound=sound), model
