"""Models on the Hugging Face Hub: `from_pretrained` and `push_to_hub`.

A model is one file, model.safetensors, as `avw export --to checkpoint` writes it, with its card as README.md. A local
folder or file needs no other library; the Hub needs `pip install 'avw[hub]'`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from avw.avw4k.exports.hub import HubReport, hub_errors, hub_library, refusal
from avw.model.pretrained.card import CARD, read_origin
from avw.model.pretrained.export import export_checkpoint
from avw.model.run_folder import MODEL, model_file
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import CheckpointError, NoRunError, UsageError

README = "README.md"
TAGS = ("world-model", "audio-visual", "navigation", "arxiv:2512.00883")


def from_pretrained(
    name: str | Path,
    *,
    revision: str | None = None,
    device: torch.device | str = "cpu",
    token: str | None = None,
    endpoint: str | None = None,
) -> WorldModel:
    """A model from a run, an exported file, "pretrained" (the model that ships with AVW), or from the Hub.

    name: a folder, a file, or "user/name" of a repository, which is downloaded into the cache of the Hub's library
    revision: branch, tag or commit of the repository · endpoint: a Hub other than the public one
    Nothing that is loaded can execute code. Raises CheckpointError for what is not a model or cannot be downloaded.
    """
    try:
        local = model_file(name)
    except NoRunError:
        local = Path(name)
    if local.exists() or not _is_repository(str(name)):
        return WorldModel.load(name, device)
    with hub_errors(f"{name} is not a local model and could not be downloaded", CheckpointError):
        path = hub_library().hf_hub_download(str(name), MODEL, revision=revision, token=token, endpoint=endpoint)
    return WorldModel.load(Path(path), device)


def push_to_hub(
    run: str | Path,
    repo: str,
    *,
    allow_restricted: bool = False,
    private: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> HubReport:
    """Upload the model of a finished run, or an exported file, to the model repository `repo` ("user/name").

    Raises UsageError for a model whose data restrict publishing (unless `allow_restricted`), CheckpointError for a run
    without a trained model or if the upload fails.
    """
    with tempfile.TemporaryDirectory(prefix="avw-hub-") as name:
        folder = Path(name)
        card = _export(Path(run), folder)
        licences = dict(card.get("licences") or {})
        restricted = bool(licences.get("restricted", True))
        if restricted and not allow_restricted:
            raise refusal(f"the data or weights that {run} was trained on restrict publishing", licences)
        text = (folder / README).read_text(encoding="utf-8")
        (folder / README).write_text(_metadata(restricted=restricted) + text, encoding="utf-8")
        files = tuple(sorted(path.name for path in folder.iterdir()))
        size = sum((folder / file).stat().st_size for file in files)
        report = HubReport(repo=repo, path=str(run), files=files, bytes=size, restricted=restricted)
        if dry_run:
            return report
        api = hub_library().HfApi(endpoint=endpoint, token=token)
        with hub_errors(f"{run} could not be uploaded to {repo}", CheckpointError):
            api.create_repo(repo, repo_type="model", private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=repo, repo_type="model", folder_path=folder, commit_message=f"Model of AVW {card['avw']}"
            )
    return HubReport(
        repo=repo, path=str(run), files=files, bytes=size, restricted=restricted, address=str(done.commit_url)
    )


def _export(run: Path, folder: Path) -> dict[str, Any]:
    """Write the model and its card into the folder. Returns the card."""
    file = model_file(run)
    origin = read_origin(file) if file.exists() else None
    if origin is None:  # a run; an exported file is uploaded as it is
        export_checkpoint(run, folder / MODEL)
        origin = read_origin(folder / MODEL)
        (folder / MODEL).with_suffix(".md").rename(folder / README)
    else:
        beside = file.with_suffix(".md")
        if not beside.is_file():
            raise UsageError(f"{file}: its card {beside.name} is missing beside it; export the model again")
        (folder / MODEL).write_bytes(file.read_bytes())
        (folder / README).write_bytes(beside.read_bytes())
    if origin is None:
        raise CheckpointError(f"{folder / MODEL} has no {CARD}")
    return origin.card


def _metadata(*, restricted: bool) -> str:
    """The head of README.md that the Hub reads."""
    rows = {
        "library_name": "avw",
        "license": "other" if restricted else "mit",
        "pipeline_tag": "reinforcement-learning",
        "tags": list(TAGS),
    }
    return "---\n" + "".join(f"{name}: {json.dumps(value)}\n" for name, value in rows.items()) + "---\n\n"


def _is_repository(name: str) -> bool:
    """Whether a name may be that of a repository: user/name."""
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and not name.startswith((".", "~")) and not name.endswith(".safetensors")
