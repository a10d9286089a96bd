"""The server of `avw play`: what pages may ask, whose walks are kept, recordings, and the command itself."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from avw.cli.main import avw
from avw.model.play.site import MOST_WALKS, PlayServer
from avw.model.world_model import WorldModel
from tests import ROOT

STEP = {"action": 1, "anchor_every": 0, "heard": "simulator"}


def ask(server: PlayServer, path: str, values: object = None) -> tuple[int, bytes]:
    """GET, or POST of a JSON value."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    body = None if values is None else json.dumps(values)
    connection.request("GET" if body is None else "POST", f"/{server.token}/{path}", body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def header(content: bytes) -> dict:
    (length,) = struct.unpack_from("<I", content)
    return json.loads(content[4 : 4 + length])


def opened(server: PlayServer, seed: int = 3) -> str:
    status, content = ask(server, "open", {"seed": seed})
    assert status == 200, content
    return header(content)["walk"]


def test_walks_of_two_tabs_do_not_disturb_each_other(serve: Callable):
    with serve() as server:
        one, two = opened(server), opened(server)
        poses = []
        for walk, action in ((one, 2), (two, 3), (one, 2), (two, 3)):
            moment = header(ask(server, "step", {**STEP, "walk": walk, "action": action})[1])
            poses.append(moment["pose"][2])
        assert moment["number"] == 2
        turned = (np.subtract(poses[2:], poses[:2]) + np.pi) % (2 * np.pi) - np.pi
        assert turned == pytest.approx(np.deg2rad([10, -10]), abs=1e-4)
        assert ask(server, "close", {"walk": one})[0] == 200
        assert ask(server, "step", {**STEP, "walk": one})[0] == 410
        assert ask(server, "step", {**STEP, "walk": two})[0] == 200


def test_the_oldest_walk_ends_when_there_are_many_tabs(serve: Callable):
    with serve() as server:
        walks = [opened(server) for _ in range(MOST_WALKS + 1)]
        status, content = ask(server, "step", {**STEP, "walk": walks[0]})
        assert status == 410
        assert b"reload the page" in content
        assert all(ask(server, "step", {**STEP, "walk": walk})[0] == 200 for walk in walks[1:])


@pytest.mark.parametrize(
    "change", [{"action": 4}, {"action": "1"}, {"action": True}, {"anchor_every": -1}, {"heard": "x"}, {"heard": []}]
)
def test_wrong_requests_are_refused(serve: Callable, change: dict):
    with serve() as server:
        walk = opened(server)
        status, content = ask(server, "step", {**STEP, "walk": walk, **change})
        assert status == 400
        assert b"expected" in content
        assert ask(server, "step", {**STEP, "walk": [walk]})[0] == 410
        assert ask(server, "step", [1])[0] == 400
        assert ask(server, "step", {"pad": "x" * 20_000})[0] == 413
        assert ask(server, "nothing", {})[0] == 404
        assert ask(server, "recording/../../etc/passwd")[0] == 404
        assert ask(server, "step", {**STEP, "walk": walk})[0] == 200


def test_the_page_loads_nothing_from_elsewhere(serve: Callable):
    with serve() as server:
        status, page = ask(server, "")
        assert status == 200
        assert b"default-src 'none'" in page
        assert b"connect-src 'self'" in page
        assert b"http://" not in page
        assert b"https://" not in page
        opened(server)
        plan = json.loads(ask(server, "plan")[1])
        assert plan["picture"].startswith("data:image/webp")
        assert plan["width"] * plan["height"] > 10_000


def test_a_recording_has_the_pictures_and_the_sound_that_was_heard(
    serve: Callable, model: WorldModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("avw.model.pictures.animation.find_ffmpeg", lambda: None)
    with serve(model) as server:
        walk = opened(server)
        assert json.loads(ask(server, "record", {"walk": walk, "on": False})[1])["files"] == []
        ask(server, "record", {"walk": walk, "on": True})
        for heard in ("simulator", "simulator", "imagination", "both"):
            moment = header(ask(server, "step", {**STEP, "walk": walk, "heard": heard, "action": 2})[1])
        assert moment["recorded"] == 4
        written = json.loads(ask(server, "record", {"walk": walk, "on": False})[1])
        assert written["files"] == ["flat-a-01.gif", "flat-a-01.wav"]
        status, content = ask(server, "recording/flat-a-01.gif")
        assert (status, content) == (200, (server.out / "flat-a-01.gif").read_bytes())
        with Image.open(server.out / "flat-a-01.gif") as picture:
            assert picture.n_frames == 4
            assert picture.width > 3 * 320
        samples, rate = soundfile.read(server.out / "flat-a-01.wav")
        assert (rate, len(samples)) == (16_000, 4 * 2400)
        assert np.abs(samples).max() > 0.001
        assert header(ask(server, "step", {**STEP, "walk": walk})[1])["recorded"] is None


@pytest.mark.parametrize("how", ["a new walk", "a closed tab", "a closed server"])
def test_a_recording_that_is_not_stopped_is_written(serve: Callable, monkeypatch: pytest.MonkeyPatch, how: str):
    monkeypatch.setattr("avw.model.pictures.animation.find_ffmpeg", lambda: None)
    with serve() as server:
        walk = opened(server)
        ask(server, "record", {"walk": walk, "on": True})
        for _ in range(3):
            ask(server, "step", {**STEP, "walk": walk})
        if how == "a new walk":
            moment = header(ask(server, "open", {"seed": 4, "walk": walk})[1])
            assert moment["recorded"] is None
        elif how == "a closed tab":
            ask(server, "close", {"walk": walk})
    with Image.open(server.out / "flat-a-01.gif") as picture:
        assert picture.n_frames == 3


def test_a_plan_without_a_walk_is_refused(serve: Callable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("avw.model.play.site.floor_plan", lambda scene: None)
    with serve() as server:
        server._ready = None
        assert ask(server, "plan")[0] == 410


def test_the_command_says_what_is_wrong(flats: tuple[str, ...], tmp_path: Path):
    def refused(*words: str) -> str:
        done = CliRunner().invoke(avw, ["play", "--no-browser", *words])
        assert done.exit_code in (1, 2)
        return done.stderr

    assert "procedural-xyz" in refused("procedural-xyz")
    assert "contains no trained model" in refused(str(tmp_path))
    assert "runs/missing does not exist. Train one with" in refused("runs/missing")
    assert "--scene cannot name another one" in refused("procedural-0007", "--scene", "procedural-0008")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} cannot be used" in refused(flats[0], "--port", port)


def test_ctrl_c_ends_the_command(flats: tuple[str, ...]):
    """The interrupt comes while a page is connected."""
    command = [sys.executable, "-m", "avw.cli", "play", flats[0], "--no-browser", "--json"]
    reset = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    }  # ignored in the background
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, **reset,
    ) as process:  # fmt: skip
        url = json.loads(process.stdout.readline())["url"]
        port, token = url.split(":")[2].split("/")[:2]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        connection.request("POST", f"/{token}/open", json.dumps({"seed": 1}))
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in messages
