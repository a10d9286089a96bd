"""A user's own policy: a class, an object or a file; in this process, in workers and on the command line."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import avw
from avw.cli.main import avw as command
from avw.model.policies.policy_file import load_policy, source_digest
from avw.sim_bridge.errors import PolicyError, UsageError
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from tests.sim_bridge.boxes import box_scene, flat

SMALL = avw.SimulatorConfig(size=16, emitters=100)
MINE = """
import avw
from beside import TURNS

class Mine(avw.Policy):
    def reset(self, seed):
        self.left = TURNS

    def act(self, observation):
        self.left -= 1
        return avw.Action.TURN_LEFT if self.left >= 0 else avw.Action.STOP

class Fails(Mine):
    def act(self, observation):
        return 1 / (self.left - TURNS)

class Silent(Mine):
    def act(self, observation):
        return None

class Exits(Mine):
    def act(self, observation):
        raise SystemExit(3)

class Half(avw.Policy):
    def reset(self, seed):
        pass

class NoPolicy:
    pass

number = 3
"""


class Stops(avw.Policy):
    """Stops after `turns` turns."""

    def __init__(self, turns: int = 0) -> None:
        self.turns = turns

    def reset(self, seed: int) -> None:
        self.done = 0

    def act(self, observation: avw.Observation) -> avw.Action:
        self.done += 1
        return avw.Action.TURN_RIGHT if self.done <= self.turns else avw.Action.STOP


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("scene") / "flat.glb"
    export_glb(box_scene(*flat()), path)
    return str(path)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "beside.py").write_text("TURNS = 2\n")
    (tmp_path / "my.py").write_text(MINE)
    return str(tmp_path / "my.py")


def test_classes_objects_and_files_run_the_same_episodes(scene: str, mine: str) -> None:
    seen = []
    result = avw.run_navigation(
        [f"{mine}:Mine", Stops, "random"],
        scenes=scene, episodes=3, min_distance=1.0, simulator=SMALL, progress=seen.append,
        task=avw.TaskConfig(max_steps=6),
    )  # fmt: skip
    assert list(result.records) == ["Mine", "Stops", "random"]
    starts = {name: [record.start for record in records] for name, records in result.records.items()}
    assert starts["Mine"] == starts["Stops"] == starts["random"]
    assert [record.actions for record in result.records["Mine"]] == [3, 3, 3]
    assert [record.actions for record in result.records["Stops"]] == [1, 1, 1]
    assert len(seen) == 9
    report = result.report()
    for part in ("3 episodes in 1 scene;", "Mine", "Stops", "random", "95 %"):
        assert part in report
    assert result.summary("Mine")["na"].mean == 3
    assert result.gain("Mine", "Stops")["na"].mean == 2
    other = avw.run_navigation(Stops(4), scenes=scene, episodes=1, min_distance=1.0, simulator=SMALL)
    assert other.records["Stops"][0].actions == 5


@pytest.mark.slow
def test_worker_processes_load_the_file_and_the_class(scene: str, mine: str, tmp_path: Path) -> None:
    options = {"scenes": scene, "episodes": 2, "min_distance": 1.0, "simulator": SMALL}
    many = avw.run_navigation([f"{mine}:Mine", Stops], workers=2, out=tmp_path / "out", **options)
    one = avw.run_navigation([f"{mine}:Mine", Stops], **options)
    for name in one.records:
        assert [record.path for record in many.records[name]] == [record.path for record in one.records[name]]
    assert json.loads((tmp_path / "out" / "navigation-Mine.json").read_text())["policy"] == "Mine"
    with pytest.raises(PolicyError, match=r"(?s)my.py:Fails failed in act.*return 1 / \(self.left - TURNS\)"):
        avw.run_navigation(f"{mine}:Fails", workers=2, **options)


def test_each_policy_has_its_own_modules_beside_it(tmp_path: Path) -> None:
    """Also those that it imports late, or as a folder without __init__.py; and what it can do without."""
    text = """
    try:
        from . import absent
    except ImportError:
        pass
    from beside import TURNS
    from lib.parts import PART

    class Mine:
        def reset(self, seed):
            from late import LATE
            self.seen = (TURNS, PART, LATE)

        def act(self, observation):
            import late
            self.seen = (*self.seen, late.LATE)
            return 0
    """
    policies = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        (folder / "lib").mkdir(parents=True)
        (folder / "wandb").mkdir()
        (folder / "my.py").write_text(textwrap.dedent(text))
        for file, name in (("beside", "TURNS"), ("lib/parts", "PART"), ("late", "LATE")):
            (folder / f"{file}.py").write_text(f"{name} = {folder.name!r}")
        policies.append(load_policy(f"{folder}/my.py:Mine"))
    path, modules = list(sys.path), set(sys.modules)
    for policy in policies + policies:
        policy.reset(0)
        policy.act(None)
    assert [policy.policy.seen for policy in policies] == [("a",) * 4, ("b",) * 4]
    assert sys.path == path
    assert not {"beside", "lib", "lib.parts", "late"} & (set(sys.modules) - modules)
    again = load_policy(f"{tmp_path}/a/my.py:Mine")
    assert again.policy.__class__ is policies[0].policy.__class__


def test_an_edited_module_beside_a_policy_is_loaded_again(mine: str, tmp_path: Path) -> None:
    digests = []
    for turns in (2, 30):
        (tmp_path / "beside.py").write_text(f"TURNS = {turns}\n")
        digests.append(source_digest(f"{mine}:Mine"))
        policy = load_policy(f"{mine}:Mine")
        policy.reset(0)
        assert policy.policy.left == turns
    assert digests[0] != digests[1]


def test_avw_is_no_part_of_a_policy_that_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(MINE.replace("from beside import TURNS", "TURNS = 2"))
    alone = source_digest(f"{tmp_path / 'my.py'}:Mine")
    (tmp_path / "avw").mkdir()
    (tmp_path / "avw" / "__init__.py").write_text("raise ImportError")
    (tmp_path / "my.py").touch()
    assert source_digest(f"{tmp_path / 'my.py'}:Mine") == alone


def test_an_edited_file_is_loaded_again(scene: str, mine: str) -> None:
    options = {"scenes": scene, "episodes": 1, "min_distance": 1.0, "simulator": SMALL}
    assert avw.run_navigation(f"{mine}:Mine", **options).records["Mine"][0].actions == 3
    Path(mine).write_text(MINE.replace("from beside import TURNS", "TURNS = 5"))
    assert avw.run_navigation(f"{mine}:Mine", **options).records["Mine"][0].actions == 6


def test_kept_episodes_of_another_object_or_class_are_refused(scene: str, tmp_path: Path) -> None:
    options = {"scenes": scene, "episodes": 1, "min_distance": 1.0, "simulator": SMALL}
    assert avw.run_navigation(Stops(2), out=tmp_path / "object", **options).records["Stops"][0].actions == 3
    assert avw.run_navigation(Stops(2), out=tmp_path / "object", **options).records["Stops"][0].actions == 3
    with pytest.raises(UsageError, match=r"another configuration \(policy_state: "):
        avw.run_navigation(Stops(4), out=tmp_path / "object", **options)
    avw.run_navigation(Stops, out=tmp_path / "class", **options)

    class Other(Stops):
        pass

    Other.__name__ = "Stops"
    with pytest.raises(UsageError, match=r"another configuration \(policy_code: "):
        avw.run_navigation(Other, out=tmp_path / "class", **options)
    unpicklable = Stops()
    unpicklable.hook = lambda: None  # type: ignore[attr-defined]
    avw.run_navigation(unpicklable, out=tmp_path / "hook", **options)
    with pytest.raises(UsageError, match="another configuration"):
        avw.run_navigation(unpicklable, out=tmp_path / "hook", **options)


def test_kept_episodes_of_a_class_without_source_are_refused(scene: str, tmp_path: Path) -> None:
    typed: dict[str, type] = {}
    exec("class Typed:\n    def reset(self, seed): ...\n    def act(self, observation): return 0\n", typed)
    options = {"scenes": scene, "episodes": 1, "min_distance": 1.0, "simulator": SMALL, "out": tmp_path}
    avw.run_navigation(typed["Typed"], **options)
    with pytest.raises(UsageError, match="another configuration"):
        avw.run_navigation(typed["Typed"], **options)


def test_scenes_and_sounds_are_taken_or_refused(scene: str, tmp_path: Path) -> None:
    named = avw.run_navigation(Stops, 1, scenes=scene, sound="alarm", min_distance=1.0, simulator=SMALL)
    assert (named.config.scenes, named.config.sound) == ((scene,), "alarm")
    with pytest.raises(UsageError, match="has houses of its own"):
        avw.run_navigation(Stops, 1, scenes=scene, variant="small-houses")
    with pytest.raises(UsageError, match="chooses the sounds"):
        avw.run_navigation(Stops, 1, scenes=scene, variant="unheard", sound="ring")
    with pytest.raises(UsageError, match="the file names its scenes"):
        avw.run_navigation(Stops, "rooms-v1-val", scenes=scene)
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.zeros(1600), 16_000)
    with pytest.raises(UsageError, match=r"has 2 sounds, and one is needed; name it, e\.g\. --sound .*a\.wav"):
        avw.run_navigation(Stops, 1, scenes=scene, sound=str(tmp_path), simulator=SMALL)


def test_an_error_in_the_policy_shows_the_users_lines(scene: str, mine: str) -> None:
    with pytest.raises(PolicyError) as caught:
        avw.run_navigation(f"{mine}:Fails", scenes=scene, episodes=1, min_distance=1.0, simulator=SMALL)
    text = str(caught.value)
    for part in ("my.py:Fails failed in act, step 0", "ZeroDivisionError", "return 1 / (self.left - TURNS)", "line 15"):
        assert part in text
    assert "policy_file.py" not in text


@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        ("teleport", UsageError, r"unknown policy 'teleport': expected one of random, .*FILE.py:CLASS"),
        ("nowhere.py:Mine", UsageError, "there is no file .*nowhere.py"),
        ("{mine}:Other", UsageError, "my.py has no Other"),
        ("{mine}:number", UsageError, "number is not a class"),
        ("{mine}:NoPolicy", UsageError, "not a policy, because a NoPolicy has no method reset and no method act"),
        ("{mine}:Half", PolicyError, "Can't instantiate abstract class Half"),
        ("{mine}:Exits", PolicyError, "my.py:Exits failed in act, step 0 of an episode: SystemExit: 3"),
        ("{mine}:Silent", PolicyError, r"Silent failed in act, step 0.*must return one of"),
    ],
)
def test_a_policy_that_cannot_run_is_one_clear_message(
    scene: str, mine: str, policy: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        avw.run_navigation(policy.format(mine=mine), scenes=scene, episodes=1, min_distance=1.0, simulator=SMALL)


def test_a_file_that_fails_to_import_shows_its_line(scene: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    with pytest.raises(PolicyError, match=r"(?s)broken.py:A failed in its file: ModuleNotFoundError.*line 1"):
        avw.run_navigation(f"{tmp_path}/broken.py:A", scenes=scene, episodes=1, min_distance=1.0, simulator=SMALL)


def test_an_object_that_cannot_be_pickled_runs_in_this_process_only(scene: str) -> None:
    policy = Stops()
    policy.hook = lambda: None  # type: ignore[attr-defined]
    options = {"scenes": scene, "episodes": 1, "min_distance": 1.0, "simulator": SMALL}
    assert avw.run_navigation(policy, **options).records["Stops"]
    with pytest.raises(UsageError, match="pass workers=1"):
        avw.run_navigation(policy, workers=2, **options)


def test_a_class_with_the_name_of_a_built_in_policy_is_refused(scene: str) -> None:
    with pytest.raises(UsageError, match="each policy needs a name of its own"):
        avw.run_navigation([Stops(), Stops(1)], scenes=scene)
    named = type("random", (Stops,), {})
    with pytest.raises(UsageError, match="random is the name of a built-in policy"):
        avw.run_navigation(named, scenes=scene)


def test_the_command_runs_a_file(scene: str, mine: str, tmp_path: Path) -> None:
    arguments = ["navigate", "--scenes", scene, "--episodes", "1", "--workers", "1", "--model", str(tmp_path / "none")]
    done = CliRunner().invoke(command, [*arguments, "--policy", f"{mine}:Mine", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["policies"]["Mine"]["na"][0] == 3
    failed = CliRunner().invoke(command, [*arguments, "--policy", f"{mine}:Fails"])
    assert failed.exit_code == 1
    assert "return 1 / (self.left - TURNS)" in failed.stderr
    wrong = CliRunner().invoke(command, [*arguments, "--policy", "nowhere.py:Mine"])
    assert wrong.exit_code == 2
    assert "there is no file" in wrong.stderr
