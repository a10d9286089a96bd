"""`avw play`: walk through a scene in the browser, beside what a model imagines of the same actions."""

from __future__ import annotations

import dataclasses
import importlib.util
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.cli.serving import serve
from avw.model.run_folder import MODEL, PRETRAINED, SHIPPED, chosen_run, has_model, nothing_there, run_path, trainable
from avw.sim_bridge.paths import local_path
from avw.sim_bridge.suggestions import similar_path

if TYPE_CHECKING:
    from avw.model.play.session import PlayConfig
    from avw.model.world_model import WorldModel


@command()
@click.argument("what", required=False, metavar="[RUN|SCENE]")
@option("--scene", metavar="SCENE", default_text="a test house of the run",
        help="With RUN: scene to walk through: a generated house, a scan, or a mesh file.")  # fmt: skip
@option("--simulator-only", is_flag=True, help="Show the simulator alone, without a model.")
@option("--anchor-every", type=click.IntRange(0, 10_000), metavar="N", default=16, show_default=True,
        help="Steps after which the imagination begins again from the simulator; 0: never. Can be changed on the "
        "page.")  # fmt: skip
@shared.seed("the first walk: its start and the place of the source")
@shared.sound(None, "ring, or the first sound of the run's dataset")
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
    what: str | None, scene: str | None, simulator_only: bool, anchor_every: int, seed: int, sound: str | None,
    sound_root: Path | None, out: Path, port: int, browser: bool, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Walk through a house with the arrow keys, with binaural sound, in the browser.

    The page shows on the left what happens, and on the right what a model imagines of the same actions, both with
    sound. The model is that of RUN, the folder of a trained model. With a SCENE or without an argument it is that of
    runs/latest or, without one, the model that ships with AVW; the word pretrained names the latter.
    The server accepts connections from this machine only, under an address with a secret part. The page loads nothing
    from the network. Ctrl-C stops the server.

    \b
    Examples:
      avw play                                        a test house of the model
      avw play procedural-0042 --seed 3
      avw play flat.glb --sound alarm.wav --simulator-only
      avw play runs/latest                            the model of a run
      avw play runs/latest --scene procedural-0042 --anchor-every 0
      avw play --no-browser --port 8000               on a server; and here:
                                            ssh -L 8000:localhost:8000 SERVER
    """
    from avw.model.play.site import PlayServer
    from avw.sim_bridge.process.compilation import announced_compilation

    run = None if what is None else _named_run(what)
    if what is not None and run is None:
        if scene is not None:
            raise click.UsageError(f"{what} is a scene, so --scene cannot name another one")
        scene = what
    if simulator_only and run is not None:
        raise click.UsageError(f"--simulator-only shows no model, so it does not go with the run {what}")
    if run is None and not simulator_only:
        run = _default_run()
    with announced_compilation(lambda line: click.echo(line, err=True)):
        config, model = _opened(run, scene, device)
        if sound is not None:
            from avw.sim_bridge.task.sound_sets import one_sound

            config = dataclasses.replace(config, sound=one_sound(sound, sound_root))
        config = dataclasses.replace(config, seed=seed, anchor_every=anchor_every)
        with PlayServer(config, model, run=_called(run), port=port, out=out) as server:
            click.echo(f"Opening {config.scene} …", err=True)
            server.prepare()
            serve(server, browser=browser, as_json=as_json)


def _called(run: Path | None) -> str:
    if run is None:
        return ""
    return "the model that ships with AVW" if run == SHIPPED else str(run)


def _named_run(what: str) -> Path | None:
    """The run that WHAT names; None for a scene."""
    from avw.sim_bridge.errors import NoRunError

    path = run_path(what) if what == PRETRAINED else local_path(what)
    if path.suffix == ".safetensors" and path.is_file():
        return path.parent if path.name == MODEL else path
    if has_model(path):
        return path
    if path.is_dir() or what.startswith(("runs/", "data/")):
        meant = similar_path(path) if not path.exists() else ""
        remedy = f"Train one with: avw train DATA --out {trainable(path)}"
        raise NoRunError(f"{nothing_there(path)}.{meant or f' {remedy}'}")
    return None


def _default_run() -> Path | None:
    """The run to imagine with if none is named; None, with the reason on stderr, if that is not possible."""
    from avw.sim_bridge.errors import MODEL_EXTRA, NoRunError

    missing = next((name for name in MODEL_EXTRA if importlib.util.find_spec(name) is None), None)
    try:
        run = chosen_run(None)
        if missing is None:
            return chosen_run(None, partial(click.echo, err=True))
        reason = f"the model of {run} needs {missing}; type: pip install 'avw[model]'"
    except NoRunError as error:
        reason = str(error)
    click.echo(f"Showing the simulator alone: {reason}", err=True)
    return None


def _opened(run: Path | None, scene: str | None, device: str) -> tuple[PlayConfig, WorldModel | None]:
    """Where to walk, and the model that imagines it."""
    from avw.model.play.session import PlayConfig, default_config

    if run is None:
        name, simulator, sound = default_config(None, scene)
        return PlayConfig(scene=name, simulator=simulator, sound=sound), None
    import torch

    from avw.model.device import pick_device
    from avw.model.world_model import WorldModel

    model = WorldModel.load(run, pick_device(device))
    torch.set_num_threads(1)  # the networks are small, and the browser needs a core of its own
    name, simulator, sound = default_config(run, scene)
    simulator = dataclasses.replace(simulator, size=model.size, hfov=model.hfov)
    return PlayConfig(scene=name, simulator=simulator, sound=sound), model
