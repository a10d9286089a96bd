"""Pictures of the pages: `python -m benchmarks.screenshots [PAGE]... [--data DATA] [--run RUN] [--out DIR]`.

PAGE is viewer, report, play or site; all of them by default. Each page is written as PAGE.webp, PAGE-dark.webp and
PAGE-phone.webp (400 pixels wide). Needs a checkout and Chromium: the browser is that of the tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from avw.sim_bridge.errors import UsageError

if TYPE_CHECKING:
    from avw.avw4k.viewing.local_server import LocalServer
    from tests.browser import Browser

LIGHT, DARK, PHONE = "", "-dark", "-phone"
SIZES = {LIGHT: (1440, 900), DARK: (1440, 900), PHONE: (400, 860)}
WALK = (
    ("ArrowLeft", 8),
    ("ArrowUp", 14),
    ("ArrowLeft", 6),
    ("ArrowUp", 14),
    ("ArrowRight", 7),
)  # keys of `avw play`, steps
Act = Callable[["Browser", str], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", choices=list(PAGES), default=list(PAGES), metavar="PAGE")
    parser.add_argument("--data", type=Path, default=Path("data/rooms-v1"), help="the dataset of the viewer")
    parser.add_argument("--episode", default="0", help="the episode of the viewer")
    parser.add_argument("--run", default="pretrained", help="the run of the report and of play")
    parser.add_argument("--site", type=Path, default=Path("build/site"), help="what `make docs` has built")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.pages:
        for path in PAGES[name](arguments):
            print(path, f"{path.stat().st_size / 1e3:.0f} kB")


def viewer(arguments: argparse.Namespace) -> list[Path]:
    """An episode at its middle, with values below the pointer; in the dark version with the 3-D view."""
    from avw.avw4k.viewing.library import Library
    from avw.avw4k.viewing.server import ViewerServer

    def act(browser: Browser, version: str) -> None:
        browser.wait_for("now.player && now.player.stage.images.every((image) => image.complete)", 300)
        browser.evaluate(f"look({str(version == DARK).lower()}), now.player.seek(now.player.total * 0.5)")
        if version == LIGHT:
            left, top, width, height = browser.box("$('lanes')")
            browser.move(left + 0.2 * width, top + 0.62 * height)

    with serving(ViewerServer(Library(arguments.data))) as server:
        return pictures(f"{server.url}#episode={arguments.episode}", "viewer", arguments.out, act)


def report(arguments: argparse.Namespace) -> list[Path]:
    from avw.model.report import write_report

    def act(browser: Browser, version: str) -> None:
        browser.evaluate("document.fonts.ready")
        if version == DARK:  # the curves
            browser.evaluate(
                "(document.querySelector('#training') ?? document.body).scrollIntoView({behavior: 'instant'})"
            )

    with tempfile.TemporaryDirectory() as folder:
        page = write_report(Path(arguments.run), None, Path(folder) / "report.html")
        return pictures(page.as_uri(), "report", arguments.out, act)


def play(arguments: argparse.Namespace) -> list[Path]:
    """A short walk, beside what the model imagines."""
    import torch

    from avw.model.play.session import PlayConfig, default_config
    from avw.model.play.site import PlayServer
    from avw.model.run_folder import run_path
    from avw.model.world_model import WorldModel

    torch.set_num_threads(1)
    run = run_path(arguments.run)
    scene, simulator, sound = default_config(run, None)
    model = WorldModel.load(run)
    simulator = dataclasses.replace(simulator, size=model.size, hfov=model.hfov)
    config = PlayConfig(scene=scene, simulator=simulator, sound=sound)

    def act(browser: Browser, version: str) -> None:
        browser.wait_for("!$('begin').disabled && now.plan", 300)
        for key, steps in WALK:
            before = browser.evaluate("now.history.length")
            browser.hold(key)
            browser.wait_for(f"now.history.length >= {before + steps}", 300)
            browser.let_go(key)
        browser.key(" ")
        browser.wait_for("!now.running && !now.asking && now.queue.length === 0")
        if version == DARK:
            browser.key("v")

    server = PlayServer(config, model, run=arguments.run)
    server.prepare()
    with serving(server):
        return pictures(server.url, "play", arguments.out, act)


def site(arguments: argparse.Namespace) -> list[Path]:
    page = arguments.site / "index.html"
    if not page.is_file():
        raise UsageError(f"{page} does not exist; type: make docs")
    return pictures(page.resolve().as_uri(), "site", arguments.out, lambda browser, version: None)


def pictures(address: str, name: str, out: Path, act: Act) -> list[Path]:
    """The page at an address in all versions, after `act` has done something in it."""
    from PIL import Image

    from tests.browser import Browser

    paths = []
    for version, (width, height) in SIZES.items():
        with Browser(width, height, dark=version == DARK) as browser:
            browser.open(address)
            act(browser, version)
            time.sleep(0.5)
            with tempfile.TemporaryDirectory() as folder:
                browser.screenshot(Path(folder) / "page.png")
                content = (Path(folder) / "page.png").read_bytes()
        paths.append(out / f"{name}{version}.webp")
        with Image.open(io.BytesIO(content)) as picture:
            picture.convert("RGB").save(paths[-1], quality=84, method=6)
    return paths


@contextmanager
def serving(server: LocalServer) -> Iterator[LocalServer]:
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


PAGES = {"viewer": viewer, "report": report, "play": play, "site": site}

if __name__ == "__main__":
    main()
