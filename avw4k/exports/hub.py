"""Upload datasets to the Hugging Face Hub and download them, with the Hub's library (`pip install 'avw[hub]'`).

A dataset whose licences restrict publishing is not uploaded unless the user states that they have permission. A
downloaded dataset is checked against its manifest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.shards.checksums import file_sha256
from avw.avw4k.writing.card import licences
from avw.sim_bridge.errors import AvwError, DatasetError, UsageError
from avw.sim_bridge.storage.small_files import refuse_irregular

BESIDE = ("info.json", "manifest.jsonl", "episodes.parquet", "README.md", "croissant.json")
PATTERNS = [*BESIDE, "train-*.h5", "val-*.h5", "test-*.h5"]  # nothing else is downloaded


@dataclass(frozen=True, kw_only=True, slots=True)
class HubReport:
    """What was uploaded or downloaded, or would be. address: the dataset's page, "" for a dry run"""

    repo: str
    path: str
    files: tuple[str, ...]
    bytes: int
    restricted: bool
    address: str = ""


def push(
    folder: Path,
    repo: str,
    *,
    allow_restricted: bool = False,
    private: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> HubReport:
    """Upload a complete dataset to the dataset repository `repo` ("user/name"), creating the repository if needed.

    endpoint: a Hub other than the public one. Raises UsageError for a dataset whose licences restrict publishing
    (unless `allow_restricted`), DatasetError for an incomplete or damaged dataset, or if the upload fails.
    """
    dataset = open_dataset(folder)
    terms = dataset.info.get("licences", {})
    # As the spec says, whatever is written in info.json: somebody else may have made the dataset.
    restricted = bool(terms.get("restricted", True)) or licences(dataset.spec)["restricted"]
    if restricted and not allow_restricted:
        raise refusal(f"the licences of {folder} restrict publishing it", terms)
    if not dataset.complete:
        raise DatasetError(f"{folder} is not complete; type: avw generate {folder}")
    check(dataset)
    names = (*BESIDE, *sorted(dataset.records))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DatasetError(f"{folder} has no {', '.join(missing)}; type: avw generate {folder}")
    for name in names:
        try:
            refuse_irregular(folder / name)
        except ValueError as error:
            raise DatasetError(f"{folder / name} is not uploaded: {error}") from error
    size = sum((folder / name).stat().st_size for name in names)
    report = HubReport(repo=repo, path=str(folder), files=names, bytes=size, restricted=restricted)
    if dry_run:
        return report
    api = hub_library().HfApi(endpoint=endpoint, token=token)
    with hub_errors(f"{folder} could not be uploaded to {repo}"):
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo, repo_type="dataset", folder_path=folder, allow_patterns=list(names),
            commit_message=f"AVW dataset {dataset.spec.sha256[:12]}",
        )  # fmt: skip
    return HubReport(
        repo=repo, path=str(folder), files=names, bytes=size, restricted=restricted, address=str(done.commit_url)
    )


def refusal(what: str, terms: Mapping[str, Any]) -> UsageError:
    """The error of a command that would publish restricted data. terms: licences by name"""
    listed = "; ".join(f"{name}: {text}" for name, text in terms.items() if name != "restricted")
    return UsageError(
        f"{what} ({listed}). If the holders of these rights have given you permission, add --allow-restricted"
    )


def pull(
    repo: str, folder: Path, *, revision: str | None = None, token: str | None = None, endpoint: str | None = None
) -> HubReport:
    """Download a dataset repository into a new folder, or continue an interrupted download, and check every shard.

    Raises UsageError for a folder that contains something else, DatasetError if the download fails or does not match
    its manifest.
    """
    hub = hub_library()
    traces = folder / ".cache" / "huggingface"  # the Hub library keeps its state here until a download is complete
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not traces.is_dir())):
        raise UsageError(f"{folder} is not empty; choose a new folder, or delete this one")
    with hub_errors(f"{repo} could not be downloaded"):
        hub.snapshot_download(
            repo, repo_type="dataset", revision=revision, local_dir=folder, allow_patterns=PATTERNS, token=token,
            endpoint=endpoint,
        )  # fmt: skip
    dataset = open_dataset(folder)
    check(dataset)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    files = tuple(sorted(path.name for path in folder.iterdir()))
    return HubReport(
        repo=repo,
        path=str(folder),
        files=files,
        bytes=sum((folder / name).stat().st_size for name in files),
        restricted=bool(dataset.info.get("licences", {}).get("restricted", True)),
    )


def check(dataset: Dataset) -> None:
    """Raises DatasetError for a shard whose SHA-256 differs from the manifest."""
    for name, record in dataset.records.items():
        path = dataset.path / name
        if not path.is_file() or file_sha256(path) != record.sha256:
            raise DatasetError(f"{path} does not match the manifest; type: avw verify {dataset.path} --repair")


def hub_library() -> Any:
    """The Hub's library. Raises UsageError if it is not installed."""
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise UsageError(
            "the Hub needs huggingface-hub, which is not installed; type: pip install 'avw[hub]'"
        ) from error
    return huggingface_hub


@contextmanager
def hub_errors(what: str, kind: type[AvwError] = DatasetError) -> Iterator[None]:
    """Turn any error of the Hub library into one sentence: its errors share no base class but Exception.

    kind: of the error that is raised
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        said = [str(error), str(error.__cause__ or "")]
        reason = " ".join(" ".join(said).split()).rstrip(". ") or type(error).__name__
        raise kind(f"{what}: {reason[:500]}. To log in, type: hf auth login") from error
