"""The report: one file that needs no other, with the contents of a run and the names of the parts that are missing."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.viewing.charts import Line, Row, interval_chart, line_chart
from avw.avw4k.viewing.media import depth_colours, levels, read_frames, sheet, sound
from avw.avw4k.viewing.plans import blank_plan, floor_plan
from avw.avw4k.writing.generate import generate
from avw.cli.main import avw
from avw.cli.report import report
from avw.model.navigation.navigate import run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.outcomes import write_outcome
from avw.model.report import write_report
from avw.model.report.closed_loop import navigation_section
from avw.model.report.lead import lead
from avw.model.report.learning import training_section
from avw.model.report.maps import Route, trajectory_map
from avw.sim_bridge.errors import AvwError, DatasetError, UsageError
from avw.sim_bridge.scenes.collections.collections import COLLECTIONS
from avw.sim_bridge.scenes.scene import Room
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.storage.file_lock import claimed
from avw.sim_bridge.task.task import TaskConfig
from tests.sim_bridge.mp3d_tree import concrete_box, mp3d_tree

TINY = SimulatorConfig(size=32, emitters=500)
SCENES = ("procedural-0212", "procedural-0213", "procedural-0217")  # small houses
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Structure(HTMLParser):
    """Whether every element is closed in order, and what the page refers to."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.references += [values[name] for name in ("src", "href", "data", "poster") if values.get(name)]
        if values.get("id"):
            self.ids.append(values["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.split(",", 1)[1])


def clips_of(page: str) -> list[dict]:
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]


def terms_of(page: str) -> str:
    """The footer as text."""
    return re.sub(r"<[^>]+>|\s+", " ", page.split("<footer>")[1].split("</footer>")[0])


def evaluation() -> dict:
    row = {
        "psnr": {"model": 19.0, "persistence": 17.0, "rotation_warp": 18.5, "oracle_tokenizer": 28.0},
        "lsd": {"model": 8.0, "persistence": 9.0, "oracle_tokenizer": 7.0},
        "reward_error": {"model": 0.1, "persistence": 0.2},
        "ild_error": {"model": 0.5, "persistence": 1.0},
    }
    silent = {**row, "ild_error": {"model": float("nan"), "persistence": 1.0}}
    return {
        "split": "test",
        "scenes": [SCENES[2]],
        "denoising_steps": 1,
        "windows": {"1": 100, "16": 90},
        "horizons": {"1": row, "16": silent},
        "sequences": {"model": {"av_lag_error_seconds": 0.1, "av_corr_error": 0.2}},
    }


def write_sample(folder: Path) -> None:
    folder.mkdir()
    frames = [Image.fromarray(np.full((32, 32, 3), 30 * i, np.uint8)) for i in range(4)]
    for label in ("truth", "model"):
        frames[0].save(folder / f"sample-0-{label}.gif", save_all=True, append_images=frames[1:], duration=150)
        level = 0.5 if label == "truth" else 0.25
        soundfile.write(folder / f"sample-0-{label}.wav", np.full((9600, 2), level, np.float32), 16000)
    frames[0].save(folder / "sample-0.png")
    note = {"name": "sample-0", "scene": "<b>house</b>", "mode": "approach", "episode": 3, "step": 7}
    progress = {"true_progress": [0.1, 0.2, 0.3, 0.4], "imagined_progress": [0.1, 0.1, 0.2, 0.3]}
    (folder / "samples.json").write_text(json.dumps([{**note, **progress}]))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "data"
    spec = DatasetSpec(scenes=SCENES, trajectories=9, steps=12, simulator=TINY)
    assert generate(folder, spec, execute=run_in_this_process).complete
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    """The folder of a run as the commands leave it, without the model itself."""
    folder = tmp_path_factory.mktemp("report") / "my <run>"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"data": str(data)}))
    lines = [
        {"stage": stage, "step": step, "loss": 1.0 / step, "vision": 0.7 / step, "audio": 0.3 / step, "seconds": 2.0}
        for stage in ("1", "2", "3")
        for step in (10, 20, 30)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"stage": "3", "st')
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    write_sample(folder / "samples")
    config = NavigateConfig(
        policies=("random", "oracle"),
        scenes=(SCENES[2],),
        episodes=2,
        simulator=TINY,
        task=TaskConfig(max_steps=120),
    )
    write_outcome(folder, config, run_policies(config, execute=run_in_this_process).records)
    return folder


@pytest.fixture(scope="module")
def page(run) -> str:
    return write_report(run).read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_needs_nothing_else(page):
    structure = Structure(page)
    assert all(reference.startswith(("data:", "#")) for reference in structure.references)
    assert not re.search(r"https?://", page)
    assert "<!-- " not in page
    assert structure.ids == ["data", "training", "imagination", "navigation"]


def test_names_are_escaped(page):
    assert "my &lt;run&gt;" in page
    assert "&lt;b&gt;house&lt;/b&gt;" in page
    assert "<b>house" not in page


def test_episodes_play_with_their_sound(page, data):
    clips = clips_of(page)
    episodes = [clip for clip in clips if "map" in clip]
    assert len(episodes) == 3
    refs = {ref.mode: ref for ref in reversed(open_dataset(data).episodes()) if ref.split == "test"}
    for clip in episodes:
        assert clip["frames"] == 13 == len(clip["map"]["path"])
        samples, rate = soundfile.read(io.BytesIO(decoded(clip["sounds"][0]["audio"])))
        assert rate == 16000
        assert samples.shape == (13 * 2400, 2)
        assert np.abs(samples).max() == pytest.approx(0.9, abs=0.01)
    # The first is the first approach in a test scene: sound, frames and path are those of the dataset.
    dataset = open_dataset(data)
    rows = dataset.read(refs["approach"])
    samples, _ = soundfile.read(io.BytesIO(decoded(episodes[0]["sounds"][0]["audio"])))
    linear = rows["audio"].transpose(0, 2, 1).reshape(-1, 2) * dataset.audio_scale
    np.testing.assert_allclose(samples, 0.9 * linear / np.abs(linear).max(), atol=1e-3)
    with Image.open(io.BytesIO(decoded(episodes[0]["views"][0]["sheet"]))) as image:
        sheet_HWC = np.asarray(image.convert("RGB")).astype(int)
    for k in (0, 12):
        np.testing.assert_allclose(
            sheet_HWC[:, 32 * k : 32 * (k + 1)].mean((0, 1)), rows["rgb"][k].mean((0, 1)), atol=6
        )
    moved = np.hypot(*(rows["position"][-1] - rows["position"][0])[[0, 2]])
    (x0, y0, _), (x1, y1, _) = (episodes[0]["map"]["path"][i] for i in (0, -1))
    assert np.hypot(x1 - x0, y1 - y0) / episodes[0]["map"]["metre"] == pytest.approx(moved, abs=0.01)


def test_predicted_and_true_sound_keep_their_levels(page):
    """As the evaluation wrote them: a wrong level of the prediction must be audible."""
    peaks = []
    for clip in clips_of(page):
        if "map" not in clip:
            assert clip["frames"] == 4
            samples, _ = soundfile.read(io.BytesIO(decoded(clip["sounds"][0]["audio"])))
            peaks.append(np.abs(samples).max())
    assert peaks == pytest.approx([0.5, 0.25], abs=1e-3)


def test_figures_are_those_of_the_run(page, run):
    mean, low, high = json.loads((run / "navigation.json").read_text())["policies"]["oracle"]["sr"]
    assert f"<td>{mean:.2f}<small>{low:.2f}–{high:.2f}</small></td>" in page
    assert '<td class="best">19.00</td>' in page
    assert '<td class="bound">28.00</td>' in page
    assert '<td class="">–</td>' in page  # not a number
    assert "Stage 3: joint" in page


def test_missing_parts_are_named_with_their_commands(tmp_path):
    page = write_report(tmp_path).read_text(encoding="utf-8")
    Structure(page)
    for command in ("avw report RUN DATA", "avw train", "avw evaluate", "avw navigate"):
        assert command in page


def test_skipped_horizons_are_named_with_their_reason(tmp_path):
    document = {**evaluation(), "skipped_horizons": {"64": "the longest episode of the test split has 24 steps"}}
    (tmp_path / "evaluation.json").write_text(json.dumps(document))
    assert "No result for 64 steps: the longest episode" in write_report(tmp_path).read_text(encoding="utf-8")


def test_findings_of_an_evaluation_are_shown(tmp_path):
    row = {"errors": [0.0, 1.0], "delta": 1.0, "monotone": 1.0, "variation": 0.25, "flip": 0.05, "clips": 9}
    cue = {"cases": 20, "right": 19, "score": 0.95, "interval": [0.76, 0.99], "p_by_chance": 2e-5}
    none = {"cases": 0, "right": 0, "score": None, "interval": None, "p_by_chance": None}
    document = evaluation() | {
        "paired": {"1": {"psnr": {"reprojection": [0.5, 0.2, 0.8]}}, "16": {"lsd": {"persistence": [0.1, -0.2, 0.4]}}},
        "clusters": {"16": {"episodes": 12, "scenes": 3}},
        "ranking": {
            "states": 40, "metres": [1.0, 6.0], "rank_correlation": 0.7, "rank_correlation_interval": [0.6, 0.8],
            "argmax_gain": 1.5, "possible_gain": 2.5, "distance_error": None, "distance_error_interval": None,
        },
        "counterfactuals": {
            "states": 24, "turn_degrees": 90, "action": {"audible_states": 20, "ild": cue, "itd": cue, "pan": none},
            "sound": {"states": 24, "sound_lsd": 6.5, "image_difference": 0.25},
        },
        "rollouts": {
            "rollouts": 8, "steps": 64, "level_drift_db": {"mean": 0.75, "largest": -1.5},
            "psnr_seen": {"64": {"direct": 20.0, "autoregressive": 19.5, "difference": -0.5}},
        },
        "reliability": {"lsd": {"mute": row}, "av_lag_error_seconds": {}},
        "perceptual": {"lpips": None, "visqol": 3.25},
        "unavailable": {"lpips": "the package lpips is not installed"},
    }  # fmt: skip
    (tmp_path / "evaluation.json").write_text(json.dumps(document))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    Structure(page)
    for text in (
        '<td class="best"><b>+0.500 [+0.200, +0.800]</b></td>', "<td>+0.100 [-0.200, +0.400]</td>",
        "12 episodes of 3 scenes", "0.700 [0.600, 0.800]", "from each of 40 states", "<td>19 of 20</td>",
        "<td>2.0e-05</td>", "<td>0 of 0</td><td>–</td><td>–</td>", "by 6.500 dB", "0.75 dB louder",
        "<td>20.00</td><td>19.50</td><td>-0.50</td>", "<td>+1.0 / 0.25 / 0.05</td>",
        "<td>3.250</td>", "the package lpips is not installed",
    ):  # fmt: skip
        assert text in page, text


def test_an_evaluation_without_the_newer_parts_is_shown(page):
    assert "Paired differences" not in page
    assert "PSNR, unseen" not in page


def test_terms_of_procedural_data_are_listed_without_a_restriction(page):
    terms = terms_of(page)
    assert "scenes: generated by AVW: no restriction" in terms
    assert "acoustics: AVW emitters with MIT KEMAR responses" in terms
    assert "sounds: synthesised by AVW: no restriction" in terms
    assert "restricted" not in terms


def test_terms_of_a_collection_are_listed_with_a_notice(tmp_path):
    """A dataset made from a tree like that of Matterport3D, by the command, as a user makes it."""
    mp3d_tree(tmp_path / "scenes", concrete_box())
    command = ["generate", str(tmp_path / "data"), "--scenes", "mp3d/17DRP5sb8fy"]
    command += ["--scene-root", str(tmp_path / "scenes")]
    command += ["--trajectories", "3", "--steps", "4", "--size", "16", "--emitters", "100", "--workers", "1"]
    done = CliRunner().invoke(avw, command)
    assert done.exit_code == 0, done.output
    (tmp_path / "run").mkdir()
    page = write_report(tmp_path / "run", tmp_path / "data").read_text(encoding="utf-8")
    Structure(page)
    terms = terms_of(page)
    assert COLLECTIONS["mp3d"].terms in terms
    assert "restricted dataset" in terms
    # A dataset of an early version, which does not store its terms.
    info = json.loads((tmp_path / "data" / "info.json").read_text())
    assert info.pop("licences")["scenes"] == COLLECTIONS["mp3d"].terms
    (tmp_path / "data" / "info.json").write_text(json.dumps(info))
    assert terms_of(write_report(tmp_path / "run", tmp_path / "data").read_text(encoding="utf-8")) == terms


def test_writing_twice_gives_the_same_bytes(run, tmp_path):
    first = write_report(run, None, tmp_path / "a.html").read_bytes()
    assert write_report(run, None, tmp_path / "deep" / "b.html").read_bytes() == first


def test_errors(run, tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no dataset"):
        write_report(run, tmp_path)
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(DatasetError, match=r"evaluation\.json"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("navigation.json", {"episodes": "<script>alert(1)</script>"}, "episodes is '<script>"),
        ("navigation.json", {"min_distance": "far"}, "min_distance is 'far'"),
        ("navigation.json", {"policies": {"../x": {}}}, "not a plain name"),
        ("navigation.json", {"policies": {}}, "no policies"),
        ("evaluation.json", {"horizons": {"1": {"psnr": {"<b>": 1.0}}}}, "has the key '<b>'"),
        ("evaluation.json", {"horizons": {"x": {}}}, "not numbers of steps"),
        ("evaluation.json", {"horizons": {"1": {"psnr": 3}}}, "expected an object"),
        ("samples/samples.json", [{"name": "../../secret"}], "not a plain name"),
        ("samples/samples.json", [{"name": "a", "episode": "<script>"}], "episode is '<script>'"),
    ],
)
def test_nothing_in_a_run_can_become_markup_or_lead_elsewhere(tmp_path, name, change, says):
    measures = {measure: [1, 1, 1] for measure in ("sr", "spl", "softspl", "sna", "dtg", "na")}
    good = {
        "navigation.json": {"episodes": 1, "seed": 0, "scenes": ["a"], "min_distance": 3.0, "paired": {},
                            "policies": {"oracle": measures}},
        "evaluation.json": {"horizons": {"1": {"psnr": {"model": 20.0}}}, "scenes": ["a"]},
    }  # fmt: skip
    (tmp_path / "samples").mkdir()
    for file, document in good.items():
        (tmp_path / file).write_text(json.dumps(document))
    page = write_report(tmp_path).read_text()
    assert "Content-Security-Policy" in page
    changed = change if isinstance(change, list) else {**good[name], **change}
    (tmp_path / name).write_text(json.dumps(changed))
    with pytest.raises(DatasetError, match=f"{re.escape(name)}.*{says}"):
        write_report(tmp_path)


def test_command(run, tmp_path):
    done = CliRunner().invoke(report, [str(run), "--out", str(tmp_path / "r.html"), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["bytes"] == (tmp_path / "r.html").stat().st_size
    assert isinstance(CliRunner().invoke(report, [str(tmp_path / "none")]).exception, AvwError)


def test_frames_come_back_from_their_sheet():
    frames = np.stack([np.full((8, 8, 3), 10 * i, np.uint8) for i in range(18)])
    with Image.open(io.BytesIO(decoded(sheet(frames, quality=100)))) as image:
        assert image.size == (16 * 8, 2 * 8)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert abs(pixels[12, 12].mean() - 170) < 4  # frame 17: second row, second column


def test_equal_neighbours_stay_separate_frames(tmp_path):
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (0, 90, 90, 90, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=150)
    assert read_frames(tmp_path / "a.gif")[:, 0, 0, 0].tolist() == [0, 90, 90, 90, 200]


def test_depth_runs_from_light_to_dark_and_nothing_is_black():
    colours = depth_colours(np.array([[[0.0, 0.1, 2.0, 5.9, 40.0]]]))[0, 0]
    assert not colours[0].any()
    assert (np.diff(colours[1:].sum(axis=1).astype(int)) < 0).all()


def test_levels_are_relative_to_the_loudest():
    audio_ES = np.ones((2, 400))
    audio_ES[1] *= 0.1
    audio_ES[:, 200:] *= 1e-6
    assert levels(audio_ES, 4, floor=-40.0) == [[1.0, 1.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]]


def test_sound_keeps_the_ears_apart():
    audio_ES = np.stack([np.ones(1600), 0.25 * np.ones(1600)])
    samples, _ = soundfile.read(io.BytesIO(decoded(sound(audio_ES))))
    np.testing.assert_allclose(samples[800], [0.9, 0.225], atol=1e-3)


@pytest.mark.parametrize(
    ("y", "log"),
    [([1.0, 2.0, 4.0], False), ([1.0, 2.0, 4.0], True), ([3.0, 3.0, 3.0], False), ([0.0, float("nan"), 1.0], True)],
)
def test_charts_are_svg_inside_their_box(y, log):
    svg = line_chart([Line(name="a & b", x=[1, 2, 3], y=y, colour="#000")], title="T", x_label="step", log_y=log)
    root = ET.fromstring(svg)
    points = root.find("polyline").attrib["points"].split()
    for point in points:
        x, height = map(float, point.split(","))
        assert 0 <= x <= 340
        assert 0 <= height <= 210


def test_a_loss_and_its_validation_have_one_colour_and_one_chip():
    losses = {"audio": 2.0, "val_audio": 2.5, "reward": 1.0}
    rows = [{"stage": "3", "step": step, **losses} for step in (0, 1)]
    rows.append({"stage": "3", "step": 2, "audio": 1.5, "reward": 1.0})  # not every line has losses of validation
    page = ET.fromstring(training_section(rows))
    lines = {line.findtext("title"): line.attrib for line in page.iter("polyline")}
    assert list(lines) == ["audio", "val audio", "reward"]
    assert lines["audio"]["stroke"] == lines["val audio"]["stroke"] != lines["reward"]["stroke"]
    assert "stroke-dasharray" in lines["val audio"]
    assert "stroke-dasharray" not in lines["audio"]
    assert {line["data-series"] for line in lines.values()} == {"audio", "reward"}
    assert [chip.attrib["data-series"] for chip in page.iter("button")] == ["audio", "reward"]


def test_charts_of_nothing():
    ET.fromstring(line_chart([], title="empty", x_label="step"))
    ET.fromstring(interval_chart([], title="empty", low=0, high=1))


def test_intervals_are_drawn_to_scale():
    svg = interval_chart([Row(name="a", mean=0.5, low=0.25, high=1.0, colour="#000")], title="T", low=0.0, high=1.0)
    root = ET.fromstring(svg)
    left, right = 150, 520 - 64
    assert float(root.find("circle").attrib["cx"]) == pytest.approx((left + right) / 2, abs=0.1)
    bar = next(line for line in root.findall("line") if "stroke" in line.attrib)
    assert float(bar.attrib["x1"]) == pytest.approx(left + 0.25 * (right - left), abs=0.1)


def test_episodes_of_a_file_are_described_as_such():
    figures = {"sr": [0.5, 0.0, 1.0], "spl": [0.4, 0.1, 0.8], "softspl": [0.4, 0.1, 0.8], "sna": [0.3, 0.1, 0.5]}
    figures |= {"dtg": [1.0, 0.5, 2.0], "na": [80.0, 60.0, 100.0]}
    document = {
        "episodes": 5, "seed": 0, "scenes": ["a"], "min_distance": 3.0, "success_distance": 0.5,
        "policies": {"mpc": figures}, "paired": {}, "difficulty": {}, "episode_file": "set.json.gz",
        "skipped": [{"episode": 1, "episode_id": "", "scene": "a", "reason": "no way"}],
    }  # fmt: skip
    page = navigation_section(document, {})
    assert "4 episodes in 1 scene," in page
    assert "1 other episode cannot take place" in page
    assert "starts as the episode file says, and succeeds if the agent chooses STOP within 0.5 m" in page
    assert "at least 3 m" not in page
    assert "of 4 episodes" in lead(None, document)
    drawn = navigation_section({**document, "episode_file": None, "skipped": []}, {})
    assert "at least 3 m" in drawn
    assert "cannot take place" not in drawn


def test_a_map_shows_paths_on_the_plan():
    plan = floor_plan(SCENES[0])
    assert plan is not None
    low = plan.pixels(plan.origin_xz[0], plan.origin_xz[1])
    assert low == (0.0, 0.0)
    path_T4 = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.1], [2.0, 0.0, 1.0, 0.0]])
    route = Route(name="mpc", colour="#0f766e", path_T4=path_T4, success=False)
    root = ET.fromstring(trajectory_map(plan, [route], (2.0, 1.5, 2.0), "t"))
    points = root.findall(".//polyline")[0].attrib["points"].split()
    assert len(points) == 2  # the turn on the spot adds no point
    x0, x1 = (float(point.split(",")[0]) for point in points)
    assert x1 - x0 == pytest.approx(1.0 / plan.metres_per_pixel, abs=0.2)
    scale = next(text for text in root.findall("text") if text.attrib["class"] == "scale")
    assert scale.text in ("1 m", "2 m")
    named = replace(plan, rooms=(Room(kind="living kitchen", min_x=0.0, min_z=0.0, max_x=5.0, max_z=5.0),))
    assert "living kitchen" in trajectory_map(named, [route], (2.0, 1.5, 2.0), "t")


def test_a_scene_that_is_not_available_has_a_blank_plan():
    assert floor_plan("gone.glb") is None
    plan = blank_plan(np.array([[0.0, 0.0, 0.0], [2.0, 1.5, 1.0]]))
    assert plan.picture == ""
    assert plan.width > plan.height
    ET.fromstring(trajectory_map(plan, [], (2.0, 1.5, 1.0), "t"))


def test_two_reports_do_not_write_one_file(tmp_path):
    with claimed(tmp_path / "report.html", "busy"), pytest.raises(UsageError, match="another command is writing"):
        write_report(tmp_path)
    assert write_report(tmp_path).exists()
