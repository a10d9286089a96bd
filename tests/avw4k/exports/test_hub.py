"""To the Hub and back, with the Hub's own library, against a Hub on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.exports.hub import BESIDE, pull, push
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.verify import verify_dataset
from avw.cli.main import avw
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests.local_hub import LocalHub

# The library's own use of its HTTP client.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO, TOKEN = "me/houses", "hf_secret"


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that anyone may publish: a generated house, our own sound and acoustics."""
    folder = tmp_path_factory.mktemp("free") / "data"
    spec = DatasetSpec(
        scenes=("procedural-0212",), trajectories=2, steps=4, simulator=SimulatorConfig(size=16, emitters=500)
    )
    assert generate(folder, spec, execute=run_in_this_process).complete
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    reason = "huggingface-hub is not installed: pip install 'avw[hub]'"
    constants = pytest.importorskip("huggingface_hub.constants", reason=reason)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # a protocol of its own, beyond plain HTTP
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # whatever the environment said when it was imported
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    with LocalHub(TOKEN) as server:
        yield server


def test_a_dataset_comes_back_byte_for_byte(free: Path, hub: LocalHub, tmp_path: Path):
    sent = push(free, REPO, token=TOKEN, endpoint=hub.url, private=True)
    assert hub.private == {REPO}
    assert sent.address.startswith(hub.url)
    assert set(hub.files[REPO]) - {".gitattributes"} == set(sent.files) == {*BESIDE, *open_dataset(free).records}
    fetched = pull(REPO, tmp_path / "back", endpoint=hub.url)
    assert set(fetched.files) >= set(sent.files)
    for name in sent.files:
        assert (tmp_path / "back" / name).read_bytes() == (free / name).read_bytes()
    assert verify_dataset(tmp_path / "back").ok
    assert not (tmp_path / "back" / ".cache").exists()


def test_what_is_restricted_stays_here_without_the_flag(reference: Path, hub: LocalHub):
    with pytest.raises(UsageError, match=r"restrict publishing it.*--allow-restricted"):
        push(reference, REPO, token=TOKEN, endpoint=hub.url)
    assert hub.requests == []
    push(reference, REPO, token=TOKEN, endpoint=hub.url, allow_restricted=True)
    assert hub.files[REPO]


def test_a_dry_run_sends_nothing(free: Path, hub: LocalHub):
    report = push(free, REPO, endpoint=hub.url, dry_run=True)
    assert report.bytes == sum((free / name).stat().st_size for name in report.files)
    assert hub.requests == []


def test_damage_is_found_before_sending_and_after_fetching(free: Path, hub: LocalHub, tmp_path: Path):
    push(free, REPO, token=TOKEN, endpoint=hub.url)
    shard = next(iter(open_dataset(free).records))
    content = hub.files[REPO][shard]
    hub.files[REPO][shard] = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(DatasetError, match=f"{shard} does not match the manifest"):
        pull(REPO, tmp_path / "back", endpoint=hub.url)
    copy = Path(shutil.copytree(free, tmp_path / "copy"))
    (copy / shard).write_bytes(content[:-1])
    with pytest.raises(DatasetError, match="does not match the manifest"):
        push(copy, REPO, token=TOKEN, endpoint=hub.url)


def test_nothing_but_a_dataset_is_fetched(free: Path, hub: LocalHub, tmp_path: Path):
    push(free, REPO, token=TOKEN, endpoint=hub.url)
    hub.files[REPO] |= {"run_me.py": b"evil", "sub/train-0.h5": b"evil", "model.pkl": b"evil"}
    pull(REPO, tmp_path / "back", endpoint=hub.url)
    assert not (tmp_path / "back" / "run_me.py").exists()
    assert not (tmp_path / "back" / "model.pkl").exists()


def test_refusals_are_sentences(free: Path, hub: LocalHub, tmp_path: Path):
    with pytest.raises(DatasetError, match=r"could not be uploaded to me/houses.*hf auth login"):
        push(free, REPO, token="wrong", endpoint=hub.url)
    with pytest.raises(DatasetError, match="me/nothing could not be downloaded"):
        pull("me/nothing", tmp_path / "back", endpoint=hub.url)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        pull(REPO, tmp_path / "mine", endpoint=hub.url)


def test_an_incomplete_dataset_is_not_sent(copy: Path):
    lines = (copy / "manifest.jsonl").read_text().splitlines(keepends=True)
    (copy / "manifest.jsonl").write_text("".join(lines[:2]))
    with pytest.raises(DatasetError, match="is not complete; type: avw generate"):
        push(copy, REPO, allow_restricted=True)


def test_the_commands(free: Path, reference: Path):
    done = CliRunner().invoke(avw, ["push", str(free), REPO, "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["restricted"] is False
    assert "would be uploaded to me/houses" in CliRunner().invoke(avw, ["push", str(free), REPO, "--dry-run"]).stdout
    refused = CliRunner().invoke(avw, ["push", str(reference), REPO, "--dry-run"])
    assert refused.exit_code == 2
    assert "--allow-restricted" in refused.stderr
