"""The viewer without a browser: what is drawn of a sound, what is listed, what the server answers and to whom."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.viewing.hearing import BAND_ROWS, level_difference, outline, spectrogram
from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.page import served_page, write_export
from avw.avw4k.viewing.plans import Plan, blank_plan
from avw.avw4k.viewing.server import ViewerServer
from avw.cli.main import avw
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.scenes.scene import Room

SECOND = np.arange(16000) / 16000


@pytest.fixture(scope="module")
def library(reference: Path) -> Library:
    return Library(reference)


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[ViewerServer]:
    with ViewerServer(library) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: ViewerServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


# What is drawn of a sound


def test_level_difference_is_that_of_the_ears():
    tone = np.sin(2 * np.pi * 500 * SECOND)
    ild = level_difference(np.stack([tone, tone / 2]).astype(np.float32))
    assert len(ild) == 40
    assert ild[20] == pytest.approx(20 * np.log10(2), abs=0.05)
    assert level_difference(np.stack([tone / 2, tone]))[20] == pytest.approx(-20 * np.log10(2), abs=0.05)
    silent = np.stack([tone, tone])
    silent[:, :8000] = 0
    ild = level_difference(silent)
    assert ild[5] is None
    assert ild[30] == 0


def test_a_tone_is_a_line_at_its_frequency_on_the_side_that_hears_it():
    audio_ES = np.stack([np.sin(2 * np.pi * 2000 * SECOND), np.zeros(16000)]).astype(np.float32)
    light = spectrogram(audio_ES).astype(int).sum(axis=2)
    assert light.shape == (2 * BAND_ROWS, 101)
    left, right = light[:BAND_ROWS], light[BAND_ROWS:]
    assert left[:, 50].argmax() == pytest.approx(BAND_ROWS * (1 - 2000 / 8000), abs=1)  # 8 kHz on top
    assert right.max() == light.min()


def test_an_outline_holds_the_peaks():
    audio_ES = np.zeros((2, 1000))
    audio_ES[0, 501], audio_ES[1, 999] = 0.5, -0.25
    low_left, high_left, low_right, _ = outline(audio_ES, 10)
    assert high_left == [0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0]
    assert low_right[-1] == -0.25
    assert not any(low_left)


# What there is to see


def test_clips_hold_the_episode(library: Library, reference: Path):
    dataset = open_dataset(reference)
    ref = dataset.episodes("train")[0]
    rows, clip = dataset.read(ref), library.entry(str(ref.index))
    assert clip["frames"] == ref.steps + 1 == len(clip["distance"]) == len(clip["map"]["path"])
    assert clip["actions"] == rows["actions"].tolist()
    assert clip["collided"] == np.flatnonzero(rows["collided"]).tolist()
    content = base64.b64decode(clip["sounds"][0]["audio"].split(",", 1)[1])
    samples, rate = soundfile.read(io.BytesIO(content))
    linear = rows["audio"].transpose(0, 2, 1).reshape(-1, 2) * dataset.audio_scale
    assert rate == 16000
    np.testing.assert_allclose(samples, linear * 10 ** (clip["sounds"][0]["gain"] / 20), atol=0.02)
    with Image.open(io.BytesIO(base64.b64decode(clip["views"][0]["sheet"].split(",", 1)[1]))) as sheet:
        assert sheet.size == (13 * 32, 32)
    x0, y0, _ = clip["map"]["path"][0]
    x1, y1, _ = clip["map"]["path"][-1]
    moved = np.hypot(*(rows["position"][-1] - rows["position"][0])[[0, 2]])
    assert np.hypot(x1 - x0, y1 - y0) / clip["map"]["metre"] == pytest.approx(moved, abs=0.01)


def test_the_list_says_what_the_table_says(library: Library, reference: Path):
    rows = library.entries()
    assert [row["id"] for row in rows] == [str(i) for i in range(6)]
    for row in rows:
        assert row["success"] == (row["mode"] == "approach")
        assert {"scene", "split", "shard", "demo", "geodesic_start"} <= set(row)


def test_episodes_are_chosen_by_number_or_one_of_each_mode(library: Library):
    modes = {row["id"]: row["mode"] for row in library.entries()}
    assert sorted(modes[name] for name in library.chosen(None)) == ["approach", "leave", "unrelated"]
    assert library.chosen("0,3-5,4") == ["0", "3", "4", "5"]
    assert library.chosen("all") == list(modes)
    with pytest.raises(UsageError, match="no episode 9: it has 0 to 5"):
        library.chosen("9")
    with pytest.raises(UsageError, match="'x' is not a number"):
        library.chosen("x")


def test_a_run_shows_its_data_and_its_predictions(reference: Path, tmp_path: Path):
    samples = tmp_path / "samples"
    samples.mkdir()
    (tmp_path / "config.json").write_text(json.dumps({"data": str(reference)}))
    frames = [Image.fromarray(np.full((32, 32, 3), 40 * i, np.uint8)) for i in range(4)]
    for kind in ("truth", "model"):
        frames[0].save(samples / f"sample-0-{kind}.gif", save_all=True, append_images=frames[1:], duration=150)
        soundfile.write(samples / f"sample-0-{kind}.wav", np.full((9600, 2), 0.1, np.float32), 16000)
    note = {"name": "sample-0", "scene": "a", "mode": "leave", "episode": 1, "step": 3}
    (samples / "samples.json").write_text(json.dumps([note]))
    library = Library(tmp_path)
    assert [row["kind"] for row in library.entries()] == ["predicted"] + 6 * ["episode"]
    clip = library.entry("sample-0")
    assert clip["frames"] == 4
    assert [view["caption"] for view in clip["views"]] == ["Ground truth", "Prediction"]
    assert len(clip["sounds"]) == 2
    (samples / "samples.json").write_text(json.dumps([{**note, "name": "../../etc/passwd"}]))
    with pytest.raises(DatasetError, match="is not a plain name"):
        Library(tmp_path)


def test_folders_with_nothing_to_see_say_so(tmp_path: Path):
    with pytest.raises(DatasetError, match="holds no dataset"):
        Library(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DatasetError, match="not a readable run"):
        Library(tmp_path)


def test_rooms_are_named_where_they_are():
    rooms = (Room(kind="kitchen", min_x=1.0, min_z=2.0, max_x=3.0, max_z=6.0),)
    plan = Plan("", 200, 200, (0.0, 1.0), 0.05, rooms)
    assert plan.names() == [("kitchen", 40.0, 60.0, 40.0)]
    assert blank_plan(np.zeros((1, 3))).names() == []


# The page


def test_an_export_needs_no_other_file(library: Library, tmp_path: Path):
    path = tmp_path / "deep" / "tour.html"
    size = write_export(library, ["0", "2"], path)
    page = path.read_text()
    assert path.stat().st_size == size
    assert "connect-src" not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert not re.search(r"https?://", page)
    data = data_of(page)
    assert list(data["clips"]) == ["0", "2"] == [row["id"] for row in data["entries"]]
    write_export(library, ["0", "2"], tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_nothing_in_the_data_can_become_markup(reference: Path, tmp_path: Path):
    folder = tmp_path / "</script><b>&"
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(reference, folder, symlinks=True)
    page = served_page(Library(folder))
    assert data_of(page)["facts"]["title"] == Library(folder).title
    assert "<b>&" not in page


# The server


def test_the_page_and_its_clips_are_served_to_who_has_the_address(server: ViewerServer):
    answer, body = ask(server, f"/{server.token}/")
    assert answer.status == 200
    assert data_of(body.decode())["clips"] is None
    assert b"connect-src 'self'" in body
    assert answer.headers["Cache-Control"] == "no-store"
    answer, body = ask(server, f"/{server.token}/clip/1")
    assert answer.status == 200
    assert json.loads(body)["frames"] == 13
    assert ask(server, f"/{server.token}/", host=f"localhost:{server.server_port}")[0].status == 200
    assert ask(server, f"/{server.token}/", method="HEAD")[1] == b""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/clip/1", 404),
        ("/wrong/clip/1", 404),
        ("/TOKEN/clip/99", 404),
        ("/TOKEN/clip/../../../etc/passwd", 404),
        ("/TOKEN/other", 404),
        ("/TOKEN", 200),
    ],
)
def test_anything_else_is_refused(server: ViewerServer, path: str, status: int):
    answer, body = ask(server, path.replace("TOKEN", server.token))
    assert answer.status == status
    assert status == 200 or server.token.encode() not in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil:1", "0.0.0.0:1", "127.0.0.1:x", ":1"]
)
def test_a_name_that_was_made_to_point_here_gets_nothing(server: ViewerServer, host: str):
    answer, body = ask(server, f"/{server.token}/", host=host.format(port=server.server_port))
    assert answer.status == 403
    assert b"avw" not in body.lower()


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "[::1]"])
def test_a_tunnel_may_have_another_port(server: ViewerServer, host: str):
    assert ask(server, f"/{server.token}/nothing", host=host)[0].status == 404


def test_a_client_that_leaves_prints_nothing(server: ViewerServer, capfd: pytest.CaptureFixture[str]):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.server_port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
            client.sendall(f"GET /{server.token}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert ask(server, f"/{server.token}/")[0].status == 200
    assert capfd.readouterr().err == ""


def test_many_requests_at_once_are_answered(server: ViewerServer):
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: ask(server, f"/{server.token}/nothing")[0].status, range(200)))
    assert answers == [404] * 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(server: ViewerServer, method: str):
    assert ask(server, f"/{server.token}/", method=method)[0].status == 501


def test_it_listens_on_this_machine_only_and_each_time_elsewhere(server: ViewerServer, library: Library):
    assert server.server_address[0] == "127.0.0.1"
    with ViewerServer(library) as other:
        assert other.token != server.token
        assert len(other.token) >= 24
    with pytest.raises(UsageError, match=f"port {server.server_port} cannot be used"):
        ViewerServer(library, server.server_port)


def test_damage_is_said_in_the_page(copy: Path):
    library = Library(copy)
    row = library.entries()[0]
    (copy / row["shard"]).write_bytes(b"")
    with ViewerServer(library) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        answer, body = ask(server, f"/{server.token}/clip/{row['id']}")
        server.shutdown()
        thread.join()
    assert answer.status == 500
    assert b"avw verify" in body


# The command


def test_the_command_exports(reference: Path, tmp_path: Path):
    file = tmp_path / "tour.html"
    done = CliRunner().invoke(avw, ["view", str(reference), "--export", str(file), "--episodes", "1,4", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"file": str(file), "clips": ["1", "4"], "bytes": file.stat().st_size}
    wrong = CliRunner().invoke(avw, ["view", str(reference), "--episodes", "1"])
    assert wrong.exit_code == 2
    assert "needs --export FILE" in wrong.stderr


def test_a_run_that_was_moved_with_its_data_shows_them(reference: Path, tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").touch()
    shutil.copytree(reference, tmp_path / "data", symlinks=True)
    (run / "config.json").write_text(json.dumps({"data": "/elsewhere/data", "data_from_run": "../data"}))
    arguments = ["view", str(run), "--export", str(tmp_path / "tour.html"), "--episodes", "2", "--json"]
    done = CliRunner().invoke(avw, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["clips"] == ["2"]
    (tmp_path / "data").rename(tmp_path / "renamed")
    wrong = CliRunner().invoke(avw, arguments)
    assert wrong.exit_code == 1
    assert f"the dataset of the run {run} is missing" in wrong.stderr
