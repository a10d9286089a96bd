"""Cost of training: `python -m benchmarks.train [--nwm URL] [--compiler inductor] [--tables sizes] [--quick] [--json]`.

Targets per second and MFU by size, beside DiT of diffusers, which has no context, and CDiT of Navigation World Models
with the same context; what each measure for speed gives; and the cost against context, targets per context and tokens.
Stage 1, four targets per context. CPU time of one thread, the median of rounds that alternate between all entries, so
that a busy machine slows down all equally. On a GPU (`--device cuda`): wall time, and the peak of the allocated memory.

diffusers, and timm for CDiT, need not be installed; their columns are empty then. CDiT is read from the git repository
that --nwm names, and not kept (its licence is CC-BY-NC).

MFU is relative to the rate of a large matrix product in the same precision, measured in the same run, and on GPUs to
the rate that NVIDIA states.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import click
import torch
from torch.nn import functional

from avw.model import layers
from avw.model.training.cost.flops import counted, peak_flops
from benchmarks.machine import installed_version, machine, sentence
from benchmarks.results_table import with_sections
from benchmarks.rows import alternate
from benchmarks.train_steps import Step, Work, cdit, dit, nwm_models, ours

FRAMES, TARGETS, LATENTS = (1, 2, 4, 8), (1, 2, 4, 8), (8, 16, 28)
RULE = "| {} | ---: | ---: | ---: | ---: |"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """name: of the network or the measure · gflop: of a target · mfu: share of the rate of the device"""

    name: str
    work: Work
    targets_per_second: float
    gflop: float
    mfu: float


@click.command()
@click.option("--nwm", metavar="URL", help="Git repository of Navigation World Models, e.g. its address at GitHub.")
@click.option("--compiler", default="", help="Also measure with torch.compile, e.g. inductor (compiles for minutes).")
@click.option("--sizes", default="nano,S,B", show_default=True, help="Sizes of `avw train`. B needs 8 GB of memory.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--tables", default="sizes,gains,costs", show_default=True, help="Which of the three tables.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of each comparison.")
@click.option("--quick", is_flag=True, help="nano only, and two rounds: seconds, not minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--write", type=click.Path(path_type=Path), help="Replace the section `train` of this page.")
def train(
    nwm: str | None, compiler: str, sizes: str, device: str, tables: str, rounds: int, quick: bool, as_json: bool,
    write: Path | None,
) -> None:  # fmt: skip
    """Measure training steps of AV-CDiT beside DiT and CDiT."""
    torch.set_num_threads(1)
    models, commit = nwm_models(nwm) if nwm else (None, "")
    rounds = 2 if quick else rounds
    peaks = {precision: peak_flops(torch.device(device), precision) for precision in ("fp32", "bf16")}
    chosen = ["nano"] if quick else [size.strip() for size in sizes.split(",")]
    chosen = chosen if "sizes" in tables else []
    beside = [
        row for size in chosen for row in beside_peers(Work(size=size, device=device), models, compiler, peaks, rounds)
    ]
    base = Work(size="nano" if quick else "S", device=device)
    gains = one_by_one(base, compiler, peaks, rounds) if "gains" in tables else []
    costs = []
    for works in series(base, quick) if "costs" in tables else ():
        costs += measured({name: (work, ours(work)) for name, work in works.items()}, peaks, rounds)
    notes = {
        "diffusers": installed_version("diffusers"), "nwm": commit or None,
        "peaks": {name: round(peak / 1e9) for name, peak in peaks.items()},
    }  # fmt: skip
    if as_json:
        rows = {"sizes": beside, "gains": gains, "costs": costs}
        listed = {name: [asdict(row) for row in found] for name, found in rows.items()}
        click.echo(json.dumps({"benchmark": "train", "machine": machine(), **notes, **listed}, indent=1))
        return
    text = page(beside, gains, costs, notes)
    click.echo(text)
    if write is not None:
        page_text = write.read_text(encoding="utf-8")
        write.write_text(with_sections(page_text, "train", {"figures": lambda: text}, str(write)), encoding="utf-8")


def beside_peers(
    work: Work, models: ModuleType | None, compiler: str, peaks: Mapping[str, float], rounds: int
) -> list[Measured]:
    """Our network and the peers that are installed, in both precisions. Those of one precision alternate."""
    rows = []
    for precision in ("fp32", "bf16"):
        same = replace(work, precision=precision)
        entries: dict[str, tuple[Work, Step]] = {f"ours, {precision}": (same, ours(same))}
        if importlib.util.find_spec("diffusers") is not None:
            entries[f"DiT, {precision}"] = same, dit(same)
        if models is not None:
            entries[f"CDiT, {precision}"] = same, cdit(same, models)
        if compiler and precision == "bf16":
            compiled = replace(same, compiler=compiler, fused=True)
            entries["ours, bf16, compiled"] = compiled, ours(compiled)
        rows += measured(entries, peaks, rounds)
    return rows


def one_by_one(base: Work, compiler: str, peaks: Mapping[str, float], rounds: int) -> list[Measured]:
    """Each measure for speed, added to those before it."""
    alone = replace(base, contexts=base.count, targets=1)
    with fused_attention():
        bf16 = replace(base, fused=True, precision="bf16")
        slow = ours(bf16)
    works = {
        "keys and values of the context for each target": alone,
        "shared by the four targets of a context": base,
        "one kernel for AdamW": replace(base, fused=True),
        "bfloat16": bf16,
        "attention in bfloat16 by matrix products": bf16,
    }
    if compiler:
        works["blocks compiled"] = replace(bf16, compiler=compiler)
    entries = {name: (work, ours(work)) for name, work in works.items()}

    def with_fused_attention() -> object:
        with fused_attention():
            return slow()

    entries["bfloat16"] = (bf16, with_fused_attention)
    return measured(entries, peaks, rounds)


@contextmanager
def fused_attention() -> Iterator[None]:
    """PyTorch's own kernel in bfloat16 too, as before."""
    kept = layers.attended
    layers.attended = cast(Any, functional.scaled_dot_product_attention)
    try:
        yield
    finally:
        layers.attended = kept


def series(base: Work, quick: bool) -> list[dict[str, Work]]:
    """The settings against which the cost is measured. The number of targets in a batch stays the same."""
    few = 2 if quick else 4
    return [
        {f"context frames: {n}": replace(base, frames=n) for n in FRAMES[:few]},
        {f"targets per context: {n}": replace(base, targets=n, contexts=base.count // n) for n in TARGETS[:few]},
        {f"tokens of a target: {(n // base.net.patch) ** 2}": replace(base, latent=n) for n in LATENTS[:few]},
    ]


def measured(entries: Mapping[str, tuple[Work, Step]], peaks: Mapping[str, float], rounds: int) -> list[Measured]:
    """All entries, alternately."""
    steps = {name: step for name, (_, step) in entries.items()}
    on_cpu = all(work.device == "cpu" for work, _ in entries.values())
    seconds = alternate(steps, rounds) if on_cpu else {name: on_gpu(step, rounds) for name, step in steps.items()}
    rows = []
    for name, (work, step) in entries.items():
        plain = ours(replace(work, compiler="")) if work.compiler else step
        flops = counted(plain)
        rate = flops / seconds[name]
        rows.append(
            Measured(
                name=name, work=work, targets_per_second=work.count / seconds[name], gflop=flops / work.count / 1e9,
                mfu=rate / peaks[work.precision],
            )
        )  # fmt: skip
        click.echo(f"{work.size}, {name}: {rows[-1].targets_per_second:.3g} targets/s", err=True)
    return rows


def on_gpu(step: Step, rounds: int) -> float:
    """Seconds of a step, by the clock."""
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(10 * rounds):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / (10 * rounds)


def page(
    sizes: Sequence[Measured], gains: Sequence[Measured], costs: Sequence[Measured], notes: Mapping[str, Any]
) -> str:
    """The section of a page, Markdown."""
    peaks = notes["peaks"]
    about = (
        f"`python -m benchmarks.train`, {sentence(machine())}; one thread, CPU time; diffusers "
        f"{notes['diffusers'] or 'not installed'}, Navigation World Models at {notes['nwm'] or 'no commit'}. A matrix "
        f"product has {peaks['fp32']} GFLOP/s in float32 and {peaks['bf16']} in bfloat16."
    )
    lines = [about]
    if sizes:
        lines += ["", "| size | network | targets/s | ours / it | GFLOP per target | MFU |", RULE.format("--- | ---")]
    for size in dict.fromkeys(row.work.size for row in sizes):
        rows = [row for row in sizes if row.work.size == size]
        mine = {row.work.precision: row for row in rows if row.name.startswith("ours") and not row.work.compiler}
        for row in rows:
            ratio = mine[row.work.precision].targets_per_second / row.targets_per_second
            shown = "" if row.name.startswith("ours") else f"{ratio:.2f}"
            lines.append(line(f"{size} | {row.name}", row, shown))
    if gains:
        named = "measure, each with those above"
        lines += ["", f"| {named} | targets/s | gain | GFLOP per target | MFU |", RULE.format("---")]
    for before, row in zip([None, *gains], gains, strict=False):
        gain = "" if before is None else f"{row.targets_per_second / before.targets_per_second:.2f}"
        lines.append(line(row.name, row, gain))
    if costs:
        lines += ["", "| cost against | targets/s | relative | GFLOP per target | MFU |", RULE.format("---")]
    lines += [line(row.name, row, f"{row.targets_per_second / costs[0].targets_per_second:.2f}") for row in costs]
    return "\n".join(lines)


def line(name: str, row: Measured, ratio: str) -> str:
    return f"| {name} | {row.targets_per_second:.3g} | {ratio} | {row.gflop:.3g} | {row.mfu:.0%} |"


if __name__ == "__main__":
    train()
