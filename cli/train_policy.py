"""`avw train --policy`: clone the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avw.cli.execution import terminated_like_interrupted


def train_policy(
    data: Path, out: Path, *, scale: float, seed: int, device: str, workers: int | None, as_json: bool
) -> None:
    """Train the cloned policy with progress bars, and print what was done."""
    from avw.avw4k.reading.dataset import open_dataset
    from avw.cli.progress import Bar, phase
    from avw.model.cloning.train import CloningConfig, scaled
    from avw.model.cloning.train import train_policy as run
    from avw.model.run_folder import POLICY
    from avw.sim_bridge.process.threads import available_cores

    with phase("reading the dataset"):
        dataset = open_dataset(data)
    config = scaled(CloningConfig(seed=seed), scale)
    bars: dict[str, Bar] = {}
    last: dict[str, float] = {}

    def report(stage: str, step: int, total: int, losses: dict[str, float]) -> None:
        bar = bars.get(stage) or bars.setdefault(
            stage, Bar(total=total, desc=f"{stage:>16}", unit="step", initial=step - 1)
        )
        bar.update(step - bar.n)
        if losses:
            last.update(losses)
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
        if step >= total:
            bar.close()

    try:
        with terminated_like_interrupted():
            net = run(dataset, out, config, workers=workers or available_cores(), device=device, report=report)
    finally:
        for bar in bars.values():
            bar.close()
    count = sum(parameter.numel() for parameter in net.parameters())
    facts = {"run": str(out), "parameters": count, "rounds": config.rounds, "episodes": config.episodes, "losses": last}
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"{out / POLICY}: {count / 1e6:.2f} M parameters, {config.rounds} rounds of {config.episodes} demonstrations\n"
        f"Next: avw navigate --policy cloned --model {out}"
    )
