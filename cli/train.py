"""`avw train`: train the tokenizers and the three stages of the world model."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.options import WholeNumbers
from avw.cli.paths import UserPath
from avw.cli.train_policy import train_policy
from avw.model.run_folder import PRETRAINED

if TYPE_CHECKING:
    from avw.model.training.cost.forecast import TrainForecast

STAGES = ("tokenizers", "1", "2", "3")


@command(epilog="You can interrupt the training at any time. Run the same command again to continue it.")
@click.argument("data", type=UserPath(), default=Path("data/avw"))
@option("--out", type=UserPath(), metavar="DIR", default=Path("runs/latest"), show_default=True,
        help="Folder of the run.")  # fmt: skip
@option("--size", type=click.Choice(["nano", "S", "B", "L", "XL"]), default="nano", show_default=True,
        help="Network: nano trains on a laptop CPU; S to XL are the sizes of Navigation World Models.")  # fmt: skip
@option("--stages", metavar="LIST", default=",".join(STAGES), show_default=True,
        help="Training stages to run, separated by commas.")  # fmt: skip
@option("--steps", type=WholeNumbers("--steps 1200,500,1000", count=3, least=0), metavar="N,N,N",
        default_text="depends on --size",
        help="Training steps of stages 1, 2 and 3; with 0,0,N everything is trained jointly.")  # fmt: skip
@option("--scale", type=click.FloatRange(min=0, min_open=True), metavar="FACTOR", default=1.0, show_default=True,
        help="Factor for the number of steps, e.g. 0.2 for a quick test.")  # fmt: skip
@option("--batch", type=click.IntRange(min=1), metavar="N", default_text="depends on --size",
        help="Number of contexts per batch; each context has four targets.")  # fmt: skip
@option("--learning-rate", type=click.FloatRange(min=0, max=10, min_open=True), metavar="RATE",
        default_text="depends on --size", help="Maximum learning rate.")  # fmt: skip
@option("--config", "config_file", type=UserPath(), metavar="FILE",
        help="TOML file with fields of the configuration, or the config.json of another run. Options on the command "
        "line replace its values.")  # fmt: skip
@option("--set", "settings", metavar="FIELD=VALUE", multiple=True,
        help="Change one field of the configuration, e.g. net.prior=none, net.sound_memory=0 or futures=false. The "
        "option may be repeated; config.json in the run lists all fields.")  # fmt: skip
@shared.seed("the initial weights, the training windows and the noise")
@shared.device("auto")
@option("--init", metavar="nwm:FILE", default="",
        help="Start from a checkpoint of Navigation World Models; init.json lists what was used.")  # fmt: skip
@option("--image-tokenizer", metavar="KIND[:PATH]", default="", default_text="pca",
        help="pca, kl (which is trained), or sd-vae (Stable Diffusion's, from PATH or from the Hub; needs diffusers). "
        "pca:PATH and kl:PATH take the one in a file, e.g. tokenizers.safetensors of another run.")  # fmt: skip
@option("--audio-tokenizer", metavar="KIND[:PATH]", default="", default_text="cues",
        help="cues, or codec: a convolutional network, which is trained. With :PATH, the one in a file.")  # fmt: skip
@option("--policy", is_flag=True,
        help="Train the policy `cloned` instead: it imitates the oracle in the training houses, which it walks through "
        "itself in later rounds (DAgger). Only --out, --scale, --seed, --device and --workers apply.")  # fmt: skip
@shared.workers("one per CPU core, for --policy")
@option("--dry-run", is_flag=True, help="Print the size of the model, and the disk space and memory that it needs.")
@shared.json_output
@click.pass_context
def train(
    context: click.Context, data: Path, out: Path, size: str, stages: str, steps: tuple[int, ...] | None, scale: float,
    batch: int | None, learning_rate: float | None, config_file: Path | None, settings: tuple[str, ...], init: str,
    image_tokenizer: str, audio_tokenizer: str, seed: int, device: str, policy: bool, workers: int | None,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Train the world model on the dataset DATA: first the tokenizers, then vision, sound, and both together.

    DATA is data/avw by default. Started by torchrun, several processes share each batch (docs/training.md).

    \b
    Examples:
      avw train                                 from data/avw to runs/latest
      avw train data/demo --out runs/demo --scale 0.3
      avw train data/avw-4k --size B --device cuda
      avw train --out runs/no-memory --set net.prior=none --set net.sound_memory=0
      avw train data/rooms-v1 --policy --out runs/latest     for --planner beam
      avw train --config runs/latest/config.json --set seed=1 --out runs/again
      torchrun --nproc-per-node 8 -m avw.cli train data/avw-4k --size B
    """
    if str(out) == PRETRAINED:
        raise click.UsageError(f"--out {out} names the model that ships with AVW; choose another folder")
    if workers is not None and not policy:
        raise click.UsageError("--workers applies to --policy only; leave it out")
    if policy:
        refuse_options(context)
        train_policy(data, out, scale=scale, seed=seed, device=device, workers=workers, as_json=as_json)
        return
    from avw.cli.progress import Bar, phase
    from avw.model.av_cdit import size_name
    from avw.model.train import configured
    from avw.model.train import train as run
    from avw.model.training.cost.forecast import forecast
    from avw.model.training.ranks import launched

    chosen = tuple(word for word in (w.strip() for w in stages.split(",")) if word)
    given = context.get_parameter_source("seed") is click.core.ParameterSource.COMMANDLINE
    wanted: dict[str, Any] = {
        "size": size, "stages": chosen, "steps": steps, "scale": scale, "batch": batch, "learning_rate": learning_rate,
        "settings": settings, "config_file": config_file, "init": init,
        "image_tokenizer": image_tokenizer, "audio_tokenizer": audio_tokenizer,
        "seed": seed if given or config_file is None else None,
    }  # fmt: skip
    if dry_run:
        dataset, config = configured(data, out, **wanted)
        ahead = forecast(dataset, out, config)
        click.echo(json.dumps(asdict(ahead), indent=1) if as_json else forecast_text(out, size_name(config.net), ahead))
        return
    bars: dict[str, Bar] = {}
    last: dict[str, dict[str, float]] = {}
    starting = ExitStack()  # until the first step
    if not launched()[0]:
        starting.enter_context(phase("reading the dataset and preparing the model"))

    def report(stage: str, step: int, total: int, losses: dict[str, float]) -> None:
        if stage not in bars:
            label = f"stage {stage}" if stage in "123" else stage
            starting.close()
            bars[stage] = Bar(total=total, desc=f"{label:>16}", unit="step", initial=step - 1 if step > 1 else 0)
        bar = bars[stage]
        bar.update(step - bar.n)
        if losses:
            speed, mfu = losses.pop("targets_per_second", None), losses.pop("mfu", None)
            last[stage] = losses
            shown = {name: f"{value:.3f}" for name, value in losses.items()}
            fast = {} if speed is None else {"targets/s": f"{speed:.3g}"}
            fast |= {} if mfu is None else {"MFU": f"{mfu:.0%}"}
            bar.set_postfix(fast | shown, refresh=False)
        if step >= total:
            bar.close()

    try:
        model = run(data, out, device=device, report=report, **wanted)
    finally:
        starting.close()
        for bar in bars.values():
            bar.close()
    if launched()[0]:
        return  # the first process prints for all
    parameters = sum(p.numel() for p in model.net.parameters())
    name = size_name(model.net.config)
    summary = {
        "run": str(out),
        "size": name,
        "parameters": parameters,
        "stages": list(chosen),
        "losses": last,
    }
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(f"{out}: AV-CDiT {name}, {parameters / 1e6:.2f} M parameters; finished stages: {', '.join(chosen)}")
    click.echo(f"Next: avw evaluate {out} {data}\n      avw navigate --policy mpc --model {out}")


def refuse_options(context: click.Context) -> None:
    """Raises UsageError for an option that does not apply to --policy."""
    applies = ("data", "out", "scale", "seed", "device", "policy", "workers", "as_json")
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in applies:
            raise click.UsageError(f"{parameter.opts[0]} does not apply to --policy; leave it out")


def forecast_text(out: Path, size: str, ahead: TrainForecast) -> str:
    """The result of a dry run as text."""
    from avw.model.training.cost.hours import ASSUMED_MFU

    parts = ", ".join(f"{count / 1e6:.1f} M {name}" for name, count in ahead.parameters.items())
    hours = ", ".join(f"{kind} {time:,.0f} h" for kind, time in ahead.gpu_hours.items())
    gigabytes = {name: f"{size / 1e9:.2f} GB" for name, size in asdict(ahead).items() if isinstance(size, int)}
    return (
        f"{out}: AV-CDiT {size}, {sum(ahead.parameters.values()) / 1e6:.1f} M parameters ({parts})\n"
        f"Disk while training: at most {gigabytes['disk_peak']} (latents {gigabytes['latents']}, a checkpoint of a "
        f"running stage {gigabytes['checkpoint']}; free: {gigabytes['free']})\n"
        f"Disk afterwards: {gigabytes['disk_after']}\n"
        f"Memory for weights, their average, gradients and moments: {gigabytes['state']} per process, without "
        "activations"
        + (f"\nStages 1 to 3 on one GPU, at {ASSUMED_MFU:.0%} of its stated FLOP/s: {hours}" if hours else "")
    )
