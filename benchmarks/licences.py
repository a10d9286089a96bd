"""The licences of all packages that an installation of AVW brings: `python -m benchmarks.licences [EXTRA …]`.

Follows the requirements of AVW and of the named extras through the metadata of the installed packages, and prints a
table. The exit code is 1 for a package without a stated licence, or with one that forbids commercial use or demands the
same licence of programs that use it. Libraries inside wheels may have other licences: those that matter are in STATED.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
REFUSED = re.compile(
    r"(?<!L)(?<!Lesser )GPL|(?<!Lesser )General Public Licen[sc]e|Affero|"
    r"non-?commercial|CC[- ]BY-(NC|SA)|SSPL|proprietary",
    re.IGNORECASE,
)
CLASSIFIER = "License :: "
STATED = {  # read from their licence files and documentation, because their metadata do not say it, or not all of it
    "embreex": "BSD-2-Clause; the wheel contains Embree, Apache-2.0",
    "hdf5plugin": "MIT; the wheel contains compression filters under BSD and similar licences",
    "soundfile": "BSD-3-Clause; the wheel contains libsndfile, LGPL-2.1, as a shared library",
}
CUDA = ("nvidia-", "cuda-")  # how the names of these libraries begin
OF_CUDA = "NVIDIA's own terms; comes with PyTorch for CUDA, not with PyTorch for CPUs"


def licence_of(package: Distribution) -> str:
    """Its SPDX expression, or else its classifiers, or else the first line of its licence field; "" without any."""
    metadata = package.metadata
    name = canonicalize_name(metadata["Name"])
    if stated := STATED.get(name):
        return stated
    if name.startswith(CUDA):
        return OF_CUDA
    fields = metadata.json
    if expression := fields.get("license_expression"):
        return str(expression)
    classes = [line for line in metadata.get_all("Classifier") or () if line.startswith(CLASSIFIER)]
    named = [line.rpartition(" :: ")[2] for line in classes if line.rpartition(" :: ")[2] != "OSI Approved"]
    if named:
        return ", ".join(named)
    return str(fields.get("license") or "").strip().partition("\n")[0][:60]


def required(requirements: Iterable[str]) -> dict[str, Distribution]:
    """All installed packages that these requirements lead to, by name. Others, e.g. for another system, are skipped."""
    found: dict[str, Distribution] = {}
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:
            continue
        name = canonicalize_name(requirement.name)
        known = name in found
        found[name] = package
        if not known or requirement.extras:
            for chosen in ("", *requirement.extras):
                waiting += [(Requirement(text), chosen) for text in package.requires or ()]
    return found


def problem(licence: str) -> str:
    """Why a licence is refused; "" for one that is not."""
    if not licence or licence.upper() == "UNKNOWN":
        return "states no licence"
    return "is refused" if REFUSED.search(licence) else ""


def main() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(text for name in sys.argv[1:] for text in extras[name])]
    rows = {name: (package.version, licence_of(package)) for name, package in required(requirements).items()}
    print("| package | version | licence |\n| --- | --- | --- |")
    for name, (version, licence) in sorted(rows.items()):
        print(f"| {name} | {version} | {licence or '?'} |")
    refused = {name: problem(licence) for name, (_, licence) in rows.items() if problem(licence)}
    for name, reason in refused.items():
        print(f"{name} {reason}: look it up, and decide", file=sys.stderr)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
