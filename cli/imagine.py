"""`avw imagine`: what a model predicts for chosen actions, beside the truth, as a film strip, sound and numbers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath

if TYPE_CHECKING:
    from avw.sim_bridge.types import Action

CONTEXT, ACTIONS = "Context", "Actions"


class ActionList(click.ParamType):
    """Actions such as forward*8,left*3; with `mirror`, also the word for left and right exchanged."""

    name = "ACTIONS"

    def __init__(self, *, mirror: bool = False) -> None:
        self.mirror = mirror

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[Action, ...] | str:
        from avw.model.imagine.action_list import MIRROR, parse_actions
        from avw.sim_bridge.errors import UsageError

        if isinstance(value, tuple) or (self.mirror and value == MIRROR):
            return value
        try:
            return parse_actions(value)
        except UsageError as error:
            self.fail(str(error), parameter, context)


@command(
    epilog="ACTIONS is a list such as forward*8,left*3,stop. Frames are predicted after each action. The true future "
    "is recorded or, for actions that were not recorded, simulated."
)
@click.argument("run", type=UserPath(), required=False)
@click.argument("data", type=UserPath(), required=False)
@option("--episode", type=click.IntRange(min=0), metavar="I", section=CONTEXT, default_text="the first test episode",
        help="Episode of the dataset.")  # fmt: skip
@option("--step", type=click.IntRange(min=0), metavar="T", section=CONTEXT, default_text="a third of the episode",
        help="Step at which imagination begins. The model is given the observations up to this step.")  # fmt: skip
@option("--scene", metavar="SCENE", section=CONTEXT,
        help="Walk through this scene instead of reading a dataset: a generated house such as procedural-4000, a scan, "
        "or a mesh file.")  # fmt: skip
@option("--walk", type=click.IntRange(min=1, max=1000), metavar="N", default=24, show_default=True, section=CONTEXT,
        help="With --scene: number of steps to walk before imagination begins.")  # fmt: skip
@option("--seed", type=int, metavar="N", default=0, show_default=True, section=CONTEXT,
        help="With --scene: random seed for the walk and the source. Also the seed for the noise.")  # fmt: skip
@option("--actions", type=ActionList(), metavar="ACTIONS", section=ACTIONS, default_text="the recorded actions",
        help="Actions to imagine.")  # fmt: skip
@option("--horizon", type=click.IntRange(min=1), metavar="N", section=ACTIONS, default_text="16",
        help="Number of recorded actions to imagine.")  # fmt: skip
@option("--swap-action", type=ActionList(mirror=True), is_flag=False, flag_value="mirror", metavar="[ACTIONS]",
        section=ACTIONS, help="Also imagine other actions from the same context; without ACTIONS, left and right are "
        "exchanged.")  # fmt: skip
@option("--swap-sound", type=click.IntRange(min=0), metavar="J", section=ACTIONS,
        help="Also imagine the future after the same images with the sound of episode J.")  # fmt: skip
@option("--autoregressive", is_flag=True, section=ACTIONS,
        help="Feed imagined frames back to the model. Needed for more steps than it was trained for.")  # fmt: skip
@option("--denoising-steps", type=click.IntRange(min=1), metavar="N", section=ACTIONS,
        default_text="as the checkpoint says", help="Number of denoising steps.")  # fmt: skip
@shared.device("cpu")
@option("--out", type=UserPath(), metavar="DIR", default_text="RUN/imagination/...",
        help="Folder for the results.")  # fmt: skip
@option("--dry-run", is_flag=True, help="Check the arguments and print what would be imagined; write nothing.")
@shared.json_output
def imagine(
    run: Path | None, data: Path | None, episode: int | None, step: int | None, scene: str | None, walk: int, seed: int,
    actions: tuple[Action, ...] | None, horizon: int | None, swap_action: Any,
    swap_sound: int | None, autoregressive: bool, denoising_steps: int | None, device: str, out: Path | None,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Imagine the future of chosen actions with the model in the run folder RUN, beside the truth.

    RUN is runs/latest by default, or, without one, the model that ships with AVW; the word pretrained names the latter.
    DATA is the dataset that RUN was trained on; where it is missing, the model that ships imagines a walk. Writes a
    film strip (strip.png), an animation, the imagined and the true sound on one scale, and imagination.json.

    \b
    Examples:
      avw imagine                                    16 steps of a test episode
      avw imagine pretrained --scene procedural-4000 --actions forward*8
      avw imagine runs/demo --episode 3 --step 40 --actions forward*8,left*3
      avw imagine runs/demo --episode 3 --step 40 --swap-action --swap-sound 7
      avw imagine runs/demo --scene procedural-4000 --seed 3 --actions left*9
      avw imagine runs/demo --horizon 64 --autoregressive --out imagined
    """
    from avw.model.imagine.request import ImagineConfig
    from avw.model.imagine.results import table
    from avw.model.imagine.run import Place, imagine_run
    from avw.model.run_folder import chosen_run

    if actions is not None and horizon is not None:
        raise click.UsageError("--horizon is a number of recorded actions; it cannot be used with --actions.")
    note = partial(click.echo, err=True)
    place = Place(data=data, episode=episode, scene=scene, walk=walk, seed=seed, swap_sound=swap_sound)
    config = ImagineConfig(
        step=step, actions=actions, horizon=horizon, swap_action=swap_action, autoregressive=autoregressive,
        denoising_steps=denoising_steps, seed=seed,
    )  # fmt: skip
    result = imagine_run(chosen_run(run, note), place, config, out=out, device=device, dry_run=dry_run, report=note)
    if as_json:
        click.echo(json.dumps(result))
        return
    count = len(result["actions"])
    click.echo(f"{result['title']}: {result['actions_in_words']} ({count} steps, {0.15 * count:.1f} s)")
    if dry_run:
        click.echo(f"Nothing was imagined. Results would be written to {result['folder']}.")
        return
    click.echo(table(result))
    click.echo(f"{result['folder']}: {', '.join(result['files'])}, imagination.json")
