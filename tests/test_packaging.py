"""What is shipped: the wheel, the sdist, the declared dependencies, and what importing costs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

PACKAGES = ("sim_bridge", "avw4k", "model", "cli")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {
    "pillow": "PIL",
    "audioop-lts": "audioop",
    "rlr-audio-propagation": "rlr_audio_propagation",
    "warp-lang": "warp",
    "huggingface-hub": "huggingface_hub",
    "hydra-core": "hydra",
    "numpy-quaternion": "quaternion",
    "visqol-python": "visqol",
}
PARTS_WITH_TORCH = ("avw4k/reading/loader.py",)  # outside model/, and in no module that generation imports
LAB = ("configs", "episodes", "importing", "sensors", "simulator")
PARTS_WITH_EXTRAS = {  # modules that may import what an extra brings, and nothing else imports them at its top
    "avw4k/exports/hub.py": "hub",
    "avw4k/execution/ray_executor.py": "ray",
    "model/metrics/perceptual.py": "metrics",
    "sim_bridge/process/ffmpeg.py": "video",
    "sim_bridge/rendering/warp.py": "gpu",
    **{f"sim_bridge/task/habitat_lab/{name}.py": "habitat" for name in LAB},
}
MODEL_ONLY = ("torch", "functorch", "torchgen", "safetensors", "einops", "matplotlib")


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def distributions(requirements: list[str]) -> set[str]:
    """The names in a list of requirements."""
    return {re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def imported_names(path: Path) -> Iterator[tuple[str, int]]:
    """Every top-level module that a file imports anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node.lineno


def third_party(path: Path) -> set[str]:
    own = {"avw", "benchmarks", "tests", "validation"}
    known = own | sys.stdlib_module_names | {"_typeshed"}  # the last exists for type checkers only
    return {name for name, _ in imported_names(path) if name not in known}


def modules_of(names: set[str]) -> set[str]:
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, so that building leaves nothing behind in the checkout."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def packaged(tree: Path) -> set[str]:
    """The tracked files that belong to the packages, as they are installed: under `avw/`."""
    found = {str(path.relative_to(tree)) for package in PACKAGES for path in (tree / package).rglob("*")}
    return {"avw/__init__.py", "avw/_gymnasium.py", "avw/py.typed"} | {
        f"avw/{name}" for name in found if (tree / name).is_file()
    }


@pytest.fixture(scope="module")
def built(tree: Path, packaged: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of the tracked files."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def wheel_of(built: Path) -> Path:
    return next(built.glob("avw-*.whl"))


def test_the_wheel_holds_the_packages_and_their_data_and_nothing_else(built: Path, packaged: set[str]) -> None:
    with zipfile.ZipFile(wheel_of(built)) as archive:
        names = archive.namelist()
    roots = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert roots == {"avw"}
    missing = packaged - set(names)
    assert not missing, f"tracked in the packages but left out of the wheel: {sorted(missing)}"
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_no_file_of_the_packages_is_larger_than_10_mb(tree: Path) -> None:
    large = [path for package in PACKAGES for path in (tree / package).rglob("*") if path.stat().st_size > 10_000_000]
    assert not large


def test_a_model_in_the_package_is_in_the_wheel(tree: Path, tmp_path: Path) -> None:
    """Whether or not one was exported yet: the files are put there."""
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy, symlinks=True)
    for name in ("model.safetensors", "model.md"):
        (copy / "model" / "pretrained" / name).write_text("x")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    with zipfile.ZipFile(wheel_of(tmp_path)) as archive:
        assert {f"avw/model/pretrained/{name}" for name in ("model.safetensors", "model.md")} <= set(archive.namelist())


def test_the_sdist_holds_what_a_build_needs(built: Path, packaged: set[str]) -> None:
    with tarfile.open(next(built.glob("avw-*.tar.gz"))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    needed = {"pyproject.toml", "README.md", "LICENSE"} | packaged
    assert needed <= names, sorted(needed - names)


WHERE = """
import avw, avw.cli.main, avw.model.world_model
from avw.sim_bridge.simulators.habitat.session import WORKER
print(avw.__file__, avw.model.world_model.__file__, WORKER, sep="\\n")
"""


@pytest.mark.slow
def test_the_checkout_an_editable_install_and_the_wheel_are_the_same_package(
    tree: Path, built: Path, tmp_path: Path
) -> None:
    """Links and copies alike: every import name is there, and the workers of other interpreters are files."""
    editable = tmp_path / "editable"
    editable.mkdir()
    build = f"import setuptools.build_meta as b; print(b.build_editable({str(editable)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True, timeout=300)
    wheel = next(editable.glob("*.whl"))
    for archive, folder in ((wheel, tmp_path / "linked"), (wheel_of(built), tmp_path / "copied")):
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
    homes = {"linked": tree, "copied": tmp_path / "copied", "": tree}
    for name, home in homes.items():
        found = f"site.addsitedir({str(tmp_path / name)!r})" if name else f"sys.path.insert(0, {str(tree)!r})"
        others = f"sys.path.append({sysconfig.get_path('purelib')!r})"  # without its .pth files
        code = f"import sys, site\n{found}\n{others}\n{WHERE}"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]
        package, world_model, worker = map(Path, done.stdout.split())
        assert package.is_relative_to(home)
        assert world_model == package.parent / "model" / "world_model.py"
        alone = subprocess.run(  # in an interpreter that has no AVW: it serves until its input ends
            [sys.executable, str(worker)],
            cwd=tmp_path, stdin=subprocess.DEVNULL, env={"PATH": ""}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert alone.returncode == 0, alone.stderr[-2000:]


@pytest.mark.slow
def test_the_wheel_generates_in_a_venv_without_torch(built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(
        subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()
    )  # fmt: skip
    for entry in Path(sysconfig.get_path("purelib")).iterdir():  # the base dependencies, without a network
        name = entry.name.lower()
        if not name.startswith((*MODEL_ONLY, "avw", "__editable__", "_avw", "pip")) and not name.endswith(".pth"):
            (site / entry.name).symlink_to(entry)
    with zipfile.ZipFile(wheel_of(built)) as archive:
        archive.extractall(site)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(python), "-I", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    assert "False" in run("-c", "import importlib.util as u; print(u.find_spec('torch') is not None)")
    assert "navigate" in run("-m", "avw.cli", "--help")
    run("-m", "avw.cli", "generate", "data", "--scenes", "procedural:1", "--trajectories", "1", "--steps", "20")
    assert list((tmp_path / "data").glob("*.h5"))
    trained = subprocess.run([str(python), "-I", "-m", "avw.cli", "train", "data"], cwd=tmp_path, capture_output=True)
    assert trained.returncode == 1
    assert b"pip install 'avw[model]'" in trained.stderr


def test_importing_the_simulator_and_the_dataset_never_imports_torch() -> None:
    apart = {*PARTS_WITH_TORCH, *PARTS_WITH_EXTRAS}
    modules = [
        "avw." + str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
        for package in ("sim_bridge", "avw4k")
        for path in sources(package)
        if str(path.relative_to(ROOT)) not in apart and path.name not in ("__init__.py", "__main__.py")
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}:\n    importlib.import_module(name)\n"
        f"    assert 'torch' not in sys.modules, name + ' imports torch'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


FROM_NO_REGISTRY = {"habitat", "habitat_sim", "soundspaces"}  # they come by conda or from source
BESIDE = {"sim_bridge/simulators/soundspaces/soundspaces_worker.py": {"worker"}}  # a program, where nothing of ours is


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_a_declared_dependency(package: str) -> None:
    base = modules_of(distributions(PROJECT["dependencies"]))
    extras = PROJECT["optional-dependencies"]
    rlr, model = modules_of(distributions(extras["rlr"])), modules_of(distributions(extras["model"]))
    for path in sources(package):
        name = str(path.relative_to(ROOT))
        allowed = base | (model if package in ("model", "cli") or name in PARTS_WITH_TORCH else set())
        allowed |= rlr if package == "sim_bridge" else set()
        allowed |= BESIDE.get(name, set())
        apart = ("sim_bridge/simulators/", "sim_bridge/task/habitat_lab/")
        allowed |= FROM_NO_REGISTRY if name.startswith(apart) else set()
        allowed |= modules_of(distributions(extras[PARTS_WITH_EXTRAS[name]])) if name in PARTS_WITH_EXTRAS else set()
        assert third_party(path) <= allowed, f"{name}: {sorted(third_party(path) - allowed)}"


def test_every_declared_dependency_is_used() -> None:
    used = set().union(*(third_party(path) for package in PACKAGES for path in sources(package)))
    declared = distributions(PROJECT["dependencies"]) | distributions(PROJECT["optional-dependencies"]["model"])
    declared.discard("audioop-lts")  # imported by pydub, from Python 3.13 on
    unused = {name for name in declared if not modules_of({name}) <= used}
    assert not unused, f"declared and never imported: {sorted(unused)}"


def test_every_dependency_has_a_tested_version_and_a_reason() -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    pinned = {line.split("==")[0].lower() for line in constraints.splitlines() if "==" in line}
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    extras = PROJECT["optional-dependencies"]
    tested = distributions(PROJECT["dependencies"] + extras["model"] + extras["dev"])
    assert tested <= pinned, sorted(tested - pinned)
    everything = tested | set().union(*(distributions(extra) for extra in extras.values()))
    unexplained = {name for name in everything if f"`{name}`" not in reasons}
    assert not unexplained, f"docs/dependencies.md gives no reason for {sorted(unexplained)}"


@pytest.mark.parametrize("word", ["pickle.load", "allow_pickle=True", "weights_only=False", "yaml.load("])
def test_nothing_is_loaded_that_could_run_code(word: str) -> None:
    guilty = [str(p.relative_to(ROOT)) for package in PACKAGES for p in sources(package) if word in p.read_text()]
    assert not guilty
