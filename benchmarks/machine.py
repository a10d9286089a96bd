"""Description of the machine that runs a benchmark: `python -m benchmarks.machine` prints it as JSON."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from avw.sim_bridge.process.threads import available_cores

VERSIONS = ("avw", "numpy", "numba", "embreex", "torch")  # packages that affect speed


def machine() -> dict[str, object]:
    """CPU, usable cores, memory (GiB), system, Python version and package versions."""
    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "memory_gib": memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in VERSIONS if (found := installed_version(name))},
    }


def sentence(facts: dict[str, object]) -> str:
    """The same in one line, for a caption."""
    versions = facts.get("versions")
    torch = f", torch {versions['torch']}" if isinstance(versions, dict) and "torch" in versions else ""
    return f"{facts['cores']} cores of {facts['cpu']}, {facts['memory_gib']} GiB, Python {facts['python']}{torch}"


def installed_version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def cpu_name() -> str:
    """The name of the CPU from Linux, or else from Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_gib() -> int | None:
    """Physical memory in GiB, or None if the system does not report it."""
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    except (ValueError, OSError, AttributeError):
        return None


if __name__ == "__main__":
    print(json.dumps(machine(), indent=1))
