"""Models from a local folder and from the Hub, and to the Hub. The Hub is a local server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import avw
from avw.model import checkpoint
from avw.model.hub import from_pretrained, push_to_hub
from avw.model.pretrained.export import export_checkpoint
from avw.sim_bridge.errors import CheckpointError, UsageError
from tests.local_hub import LocalHub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
REPO, TOKEN = "me/nano", "hf_secret"


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("exported") / "nano.safetensors"
    export_checkpoint(tiny_run, file)
    return file


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    reason = "huggingface-hub is not installed: pip install 'avw[hub]'"
    constants = pytest.importorskip("huggingface_hub.constants", reason=reason)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with LocalHub(TOKEN) as server:
        yield server


def weights(model: avw.WorldModel) -> dict[str, torch.Tensor]:
    return {name: tensor for part in model.parts().values() for name, tensor in part.state_dict().items()}


def test_a_local_model_needs_no_other_library(tiny_run: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avw.model.hub.hub_library", lambda: pytest.fail("the Hub's library was imported"))
    whole, half = from_pretrained(tiny_run), avw.from_pretrained(exported)
    for name, tensor in weights(whole).items():
        np.testing.assert_allclose(tensor.float(), weights(half)[name].float(), rtol=2e-3, atol=1e-4)
    with pytest.raises(CheckpointError):
        from_pretrained(tiny_run / "nothing" / "there.safetensors")


def test_a_model_comes_back_from_the_hub(
    tiny_run: Path, exported: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = push_to_hub(tiny_run, REPO, token=TOKEN, endpoint=hub.url, private=True, allow_restricted=True)
    assert sent.address.startswith(hub.url)
    assert hub.private == {REPO}
    assert set(hub.files[REPO]) - {".gitattributes"} == {"model.safetensors", "README.md"}
    card = hub.files[REPO]["README.md"].decode()
    assert card.startswith('---\nlibrary_name: "avw"\n')
    assert "licence of the" in card
    model = from_pretrained(REPO, endpoint=hub.url, token=TOKEN)
    local = weights(avw.from_pretrained(exported))
    assert all(torch.equal(tensor, local[name]) for name, tensor in weights(model).items())
    again = push_to_hub(exported, REPO, token=TOKEN, endpoint=hub.url, allow_restricted=True)
    assert again.files == sent.files
    assert checkpoint.load(exported)[1]["card"]


def test_a_repository_that_is_not_there_is_named(hub: LocalHub) -> None:
    with pytest.raises(CheckpointError, match="me/other is not a local model and could not be downloaded"):
        from_pretrained("me/other", endpoint=hub.url)


def test_a_restricted_model_stays_here_without_the_flag(exported: Path, tmp_path: Path) -> None:
    tensors, note = checkpoint.load(exported)
    note["card"]["licences"] = {"scenes": "for research only", "restricted": True}
    checkpoint.save(tmp_path / "model.safetensors", tensors, note)
    with pytest.raises(UsageError, match=r"its card model\.md is missing"):
        push_to_hub(tmp_path, REPO, dry_run=True)
    shutil.copy(exported.with_suffix(".md"), tmp_path / "model.md")
    with pytest.raises(UsageError, match=r"restrict publishing .*for research only.*--allow-restricted"):
        push_to_hub(tmp_path, REPO, dry_run=True)
    report = push_to_hub(tmp_path, REPO, dry_run=True, allow_restricted=True)
    assert report.restricted
    assert report.bytes > (tmp_path / "model.safetensors").stat().st_size
