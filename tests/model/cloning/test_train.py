"""Training of the cloned policy: demonstrations, DAgger, resuming, and that it learns."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.reading.dataset import Dataset
from avw.cli.main import avw
from avw.model.cloning import train
from avw.model.cloning.demonstrations import DISCOUNT, load_net, read_demonstration
from avw.model.cloning.network import START, ClonedNet, ClonedNetConfig, cloning_loss
from avw.model.cloning.train import CloningConfig, round_file, train_policy
from avw.model.run_folder import POLICY
from avw.sim_bridge.errors import CheckpointError, DatasetError, UsageError
from avw.sim_bridge.types import Action

SMALL = CloningConfig(rounds=2, episodes=3, steps=4, batch=2, length=24, net=ClonedNetConfig(channels=4, width=16))


def trained(dataset: Dataset, out: Path, config: CloningConfig = SMALL, **keywords: object) -> ClonedNet:
    return train_policy(dataset, out, config, execute=run_in_this_process, **keywords)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cloned")
    trained(dataset, out)
    return out


def demonstrations(run: Path, number: int) -> list[Path]:
    return sorted((run / "policy" / "demonstrations" / f"round-{number}").glob("*.npz"))


def test_the_oracle_acts_in_the_first_round_and_arrives(run: Path) -> None:
    assert len(demonstrations(run, 0)) == 3
    for path in demonstrations(run, 0):
        shown = read_demonstration(path)
        assert shown.taken_T.tolist() == shown.expert_T.tolist()
        assert shown.taken_T[-1] == Action.STOP
        assert shown.last_T.tolist() == [START, *shown.taken_T[:-1].tolist()]
        assert shown.value_T[-1] == pytest.approx(1.0)
        assert shown.value_T[0] < shown.value_T[-1]
        assert 0.0 < float(shown.value_T.min()) <= DISCOUNT


def test_the_policy_acts_in_later_rounds_and_the_oracle_says_what_it_should_have_done(run: Path) -> None:
    shown = [read_demonstration(path) for path in demonstrations(run, 1)]
    assert any((one.taken_T != one.expert_T).any() for one in shown)
    for one in shown:
        stops = np.flatnonzero(one.taken_T == Action.STOP)
        assert (one.expert_T[stops] == Action.STOP).all()  # an early STOP of the policy does not end an episode


def test_the_result_does_not_depend_on_interruptions(
    run: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the demonstrations of round 0 and of round 1, and between two steps."""
    monkeypatch.setattr(train, "SAVED", 2)

    def stop(stage: str, step: int) -> None:
        def report(now: str, done: int, steps: int, losses: dict[str, float]) -> None:
            if (now, done) == (stage, step):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained(dataset, tmp_path, report=report)

    stop("demonstrations 0", 2)
    assert len(demonstrations(tmp_path, 0)) == 2
    stop("policy round 0", 3)
    assert (tmp_path / "policy" / "training.safetensors").exists()
    stop("demonstrations 1", 1)
    stop("policy round 1", 1)
    trained(dataset, tmp_path)
    again, once = load_net(tmp_path / POLICY), load_net(run / POLICY)
    for name, tensor in once.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=0, atol=0)
    assert [p.read_bytes() for p in demonstrations(tmp_path, 1)] == [p.read_bytes() for p in demonstrations(run, 1)]


def test_a_folder_with_another_training_is_refused(run: Path, dataset: Dataset) -> None:
    with pytest.raises(UsageError, match=r"training of another policy .*steps: 4 there, 5 requested"):
        trained(dataset, run, dataclasses.replace(SMALL, steps=5))


def test_a_folder_with_demonstrations_of_another_dataset_is_refused(
    run: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "fingerprint", lambda dataset: "another")
    with pytest.raises(UsageError, match=r"training of another policy .*dataset"):
        trained(dataset, run)


def test_a_damaged_demonstration_and_another_checkpoint_are_named(run: Path, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "episode.npz"
    path.write_bytes(demonstrations(run, 0)[0].read_bytes()[:-50])
    with pytest.raises(DatasetError, match="not a demonstration"):
        read_demonstration(path)
    whole = demonstrations(run, 0)[0].read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with suppress(DatasetError):  # some bytes do not matter
            read_demonstration(path)
    with pytest.raises(CheckpointError, match="not a cloned policy"):
        load_net(tiny_run / "model.safetensors")
    last, result = load_net(round_file(run, 1)).state_dict(), load_net(run / POLICY).state_dict()
    assert all(torch.equal(result[name], tensor) for name, tensor in last.items())


def test_it_learns_the_actions_and_values_of_one_demonstration(run: Path) -> None:
    shown = read_demonstration(demonstrations(run, 0)[0])
    torch.manual_seed(0)
    net = ClonedNet(ClonedNetConfig(channels=4, width=32))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    inputs = [torch.from_numpy(a)[None] for a in (shown.sight_T, shown.sound_TF, shown.last_T)]
    expert, value = torch.from_numpy(shown.expert_T.astype(np.int64))[None], torch.from_numpy(shown.value_T)[None]
    known = torch.ones_like(expert, dtype=torch.bool)
    for _ in range(120):
        output = net(*inputs)
        loss, parts = cloning_loss(output, expert, value, known, 3.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(parts["right"]) > 0.95
    assert float((output.value_BT.detach().sigmoid() - value).abs().mean()) < 0.1


def test_steps_beyond_the_end_do_not_count() -> None:
    torch.manual_seed(0)
    net = ClonedNet(ClonedNetConfig(channels=4, width=16))
    sight, sound = torch.zeros(1, 5, 32, 32, 4, dtype=torch.uint8), torch.randn(1, 5, net.ear[0].in_features)
    output = net(sight, sound, torch.full((1, 5), START))
    known = torch.tensor([[True, True, True, False, False]])
    first = torch.tensor([[1, 1, 2, 0, 0]])
    other = torch.tensor([[1, 1, 2, 3, 1]])
    losses = [
        cloning_loss(output, expert, torch.tensor([[0.1, 0.2, 0.3, v, v]]), known, 2.0)[0]
        for expert, v in ((first, 0.0), (other, 1.0))
    ]
    assert losses[0].item() == losses[1].item()


def test_the_command_refuses_options_of_the_world_model(tmp_path: Path) -> None:
    result = CliRunner().invoke(avw, ["train", str(tmp_path), "--policy", "--steps", "1,1,1"])
    assert result.exit_code == 2
    assert "--steps does not apply to --policy" in result.output
