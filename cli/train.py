"""`avw train`: train the tokenizers and the three stages of the world model."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.options import WholeNumbers
from avw.cli.paths import UserPath

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
        help="Factor for the default number of steps, e.g. 0.2 for a quick test.")  # fmt: skip
@option("--batch", type=click.IntRange(min=1), metavar="N", default_text="depends on --size",
        help="Number of contexts per batch; each context has four targets.")  # fmt: skip
@option("--learning-rate", type=click.FloatRange(min=0, max=10, min_open=True), metavar="RATE",
        default_text="depends on --size", help="Maximum learning rate.")  # fmt: skip
@option("--set", "settings", metavar="FIELD=VALUE", multiple=True,
        help="Change one field of the configuration, e.g. net.prior=none, net.sound_memory=0 or futures=false. The "
        "option may be repeated; config.json in the run lists all fields.")  # fmt: skip
@shared.seed("the initial weights, the training windows and the noise")
@shared.device("auto")
@shared.json_output
def train(
    data: Path, out: Path, size: str, stages: str, steps: tuple[int, ...] | None, scale: float, batch: int | None,
    learning_rate: float | None, settings: tuple[str, ...], seed: int, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Train the world model on the dataset DATA: first the tokenizers, then vision, sound, and both together.

    DATA is data/avw by default.

    \b
    Examples:
      avw train                                 train on data/avw, write runs/latest
      avw train data/demo --out runs/demo --scale 0.3
      avw train data/avw-4k --size B --device cuda
      avw train --out runs/no-memory --set net.prior=none --set net.sound_memory=0
    """
    from avw.cli.progress import Bar, phase
    from avw.model.train import train as run

    chosen = tuple(word for word in (w.strip() for w in stages.split(",")) if word)
    bars: dict[str, Bar] = {}
    last: dict[str, dict[str, float]] = {}
    starting = ExitStack()  # until the first step
    starting.enter_context(phase("reading the dataset and preparing the model"))

    def report(stage: str, step: int, total: int, losses: dict[str, float]) -> None:
        if stage not in bars:
            label = f"stage {stage}" if stage in "123" else stage
            starting.close()
            bars[stage] = Bar(total=total, desc=f"{label:>16}", unit="step", initial=step - 1 if step > 1 else 0)
        bar = bars[stage]
        bar.update(step - bar.n)
        if losses:
            last[stage] = losses
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
        if step >= total:
            bar.close()

    try:
        model = run(
            data, out, size=size, stages=chosen, steps=steps, scale=scale, batch=batch, learning_rate=learning_rate,
            settings=settings, seed=seed, device=device, report=report,
        )  # fmt: skip
    finally:
        starting.close()
        for bar in bars.values():
            bar.close()
    parameters = sum(p.numel() for p in model.net.parameters())
    summary = {
        "run": str(out),
        "size": size,
        "parameters": parameters,
        "stages": list(chosen),
        "losses": last,
        "stop_threshold": model.calibration.stop_threshold,
    }
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(f"{out}: AV-CDiT {size}, {parameters / 1e6:.2f} M parameters; finished stages: {', '.join(chosen)}")
    click.echo(f"Next: avw evaluate {out} {data}\n      avw navigate --policy mpc --model {out}")
