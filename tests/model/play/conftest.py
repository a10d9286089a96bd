"""A flat to walk through, and the tiny model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from avw.model.play.session import PlayConfig
from avw.model.play.site import PlayServer
from avw.model.world_model import WorldModel
from avw.sim_bridge.simulators.protocol import SimulatorConfig


@pytest.fixture(scope="session")
def config(flats: tuple[str, ...]) -> PlayConfig:
    simulator = SimulatorConfig(size=32, emitters=300)
    return PlayConfig(scene=flats[0], simulator=simulator, seed=3, anchor_every=4)


@pytest.fixture(scope="session")
def model(tiny_run: Path) -> WorldModel:
    return WorldModel.load(tiny_run)


@pytest.fixture
def serve(config: PlayConfig, tmp_path: Path) -> Callable[..., object]:
    """A context manager of a running server."""

    @contextmanager
    def running(model: WorldModel | None = None) -> Iterator[PlayServer]:
        with PlayServer(config, model, run="" if model is None else "tiny", out=tmp_path / "out") as server:
            server.prepare()
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    return running
