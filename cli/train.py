"""`avw train`: the tokenizers and the three stages, with one progress bar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

STAGES = ("tokenizers", "1", "2", "3")


@click.command(epilog="Interrupt it at any moment; the same command goes on where it was.")
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/avw"))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/latest"), show_default=True, help="The run's folder."
)
@click.option(
    "--size",
    type=click.Choice(["nano", "S", "B", "L", "XL"]),
    default="nano",
    show_default=True,
    help="The network: nano trains on a laptop, S to XL are NWM's sizes.",
)
@click.option("--stages", default="tokenizers,1,2,3", show_default=True, help="Which stages to run.")
@click.option(
    "--steps", default=None, help="Training steps of stages 1,2,3, e.g. 1500,700,2500 (default: the size's own)."
)
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="Multiply the default steps, e.g. 0.2 for a quick look."
)
@click.option("--batch", type=click.IntRange(min=1), default=None, help="Contexts a batch; each has four targets.")
@click.option("--learning-rate", type=float, default=None, help="Highest learning rate (default: the size's own).")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws weights, windows and noise.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda …")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def train(
    data: Path, out: Path, size: str, stages: str, steps: str | None, scale: float, batch: int | None,
    learning_rate: float | None, seed: int, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Train the world model on the dataset DATA into a run folder.

    \b
    avw train                                 data/avw → runs/latest
    avw train data/demo --out runs/demo --scale 0.3
    avw train data/avw-4k --size B --device cuda
    """
    from tqdm import tqdm

    from avw.avw4k.reading.dataset import open_dataset
    from avw.model.training.presets import preset
    from avw.model.training.train import train as run
    from avw.sim_bridge.errors import UsageError

    chosen = tuple(word for word in (w.strip() for w in stages.split(",")) if word)
    if not chosen or any(word not in STAGES for word in chosen):
        raise UsageError(f"--stages {stages}: expected some of {','.join(STAGES)}, e.g. --stages tokenizers,1,2,3")
    counts = None
    if steps is not None:
        try:
            counts = [int(word) for word in steps.split(",")]
        except ValueError:
            counts = []
        if len(counts) != 3 or min(counts) < 1:
            raise UsageError(f"--steps {steps}: expected three whole numbers of at least 1, e.g. --steps 1500,700,2500")
    if scale <= 0:
        raise UsageError(f"--scale {scale}: expected a number above 0, e.g. --scale 0.3")
    dataset = open_dataset(data)
    config = preset(size, dataset, seed=seed, steps=counts, scale=scale, contexts=batch, learning_rate=learning_rate)
    bars: dict[str, tqdm[Any]] = {}
    last: dict[str, dict[str, float]] = {}

    def report(stage: str, step: int, total: int, losses: dict[str, float]) -> None:
        if stage not in bars:
            label = f"stage {stage}" if stage in "123" else stage
            bars[stage] = tqdm(
                total=total, desc=f"{label:>16}", unit="step", mininterval=0.5, initial=step - 1 if step > 1 else 0
            )
        bar = bars[stage]
        bar.update(step - bar.n)
        if losses:
            last[stage] = losses
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
        if step >= total:
            bar.close()

    try:
        model = run(dataset, out, config, stages=chosen, device=pick_device(device), report=report)
    finally:
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
    click.echo(f"{out}: AV-CDiT {size}, {parameters / 1e6:.2f} M parameters, stages {', '.join(chosen)} done.")
    click.echo(f"Next: avw evaluate {out} {data}   ·   avw navigate --policy mpc --model {out}")


def pick_device(device: str) -> str:
    """`auto` is the GPU if PyTorch sees one."""
    import torch

    from avw.sim_bridge.errors import UsageError

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"--device {device}: PyTorch cannot use it ({str(error).splitlines()[0]}); try --device cpu"
        ) from error
    return device
