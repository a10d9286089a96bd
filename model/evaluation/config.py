"""The configuration of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationConfig:
    """horizons: steps ahead · count: windows per horizon · denoising_steps: None: as many as belong to the checkpoint
    states: states whose candidate poses are ranked · clips: true clips of the reliability card
    sequences, length: number of predicted futures of `length` steps, for AV-lag, AV-corr and the perceptual metrics.
        Where all episodes are shorter than `length`, the futures are as long as the longest episode
    counterfactuals: states in which the actions and the sound are swapped · turn: degrees to each side
    rollouts, rollout_length: number and steps of autoregressive roll-outs
    shown: sequences that are written as samples · candidates: windows from which they are chosen
    """

    split: str = "test"
    horizons: tuple[int, ...] = (1, 4, 16)
    count: int = 1000
    denoising_steps: int | None = None
    states: int = 400
    clips: int = 200
    sequences: int = 24
    length: int = 16
    counterfactuals: int = 72
    turn: int = 90
    rollouts: int = 8
    rollout_length: int = 64
    shown: int = 6
    candidates: int = 200
    batch: int = 32
