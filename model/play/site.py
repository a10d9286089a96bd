"""The server of `avw play`: the page, and one walk per tab.

All computation happens in one thread, because walks of several tabs would compete for the same cores.
"""

from __future__ import annotations

import mimetypes
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from avw.avw4k.viewing.embedded import SERVED_POLICY, filled, resource, script_json
from avw.avw4k.viewing.local_server import Answer, LocalServer, Reading, Talking, html, json_answer, sentence
from avw.avw4k.viewing.media import depth_colours
from avw.avw4k.viewing.plans import blank_plan, floor_plan
from avw.model.play.packing import FARTHEST, packed_moment
from avw.model.play.recording import HEARD, Recorder
from avw.model.play.session import Moment, PlayConfig, Session
from avw.sim_bridge.errors import AvwError, UsageError
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.types import STEP_SECONDS, Action

if TYPE_CHECKING:
    from avw.model.world_model import WorldModel

Result = TypeVar("Result")
MOST_WALKS = 4  # tabs at the same time; the one that was not used for the longest time ends
MOST_STEPS = 10_000  # of --anchor
SCRIPTS = ("hover.js", "stage.js", "tracks.js")  # of the viewer


@dataclass
class Walk:
    """The walk of one tab."""

    session: Session
    recorder: Recorder | None = None


class PlayServer(LocalServer):
    """GET /TOKEN/ is the page, GET plan the floor plan, GET recording/NAME a recording of this server.
    POST open, step, anchor, record and close are what the page does.

    Call `prepare` before serving. run: name of the model's run, for the page · out: folder of recordings
    """

    def __init__(
        self, config: PlayConfig, model: WorldModel | None = None, *, run: str = "", port: int = 0,
        out: Path = Path("recordings"),
    ) -> None:  # fmt: skip
        self.config, self.model, self.run, self.out = config, model, run, out
        self._walks: OrderedDict[str, Walk] = OrderedDict()
        self._ready: Session | None = None
        self._written: dict[str, Path] = {}
        self._walks_lock = threading.Lock()
        self._closing = False
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="play")
        super().__init__(port, command="avw play")

    def handler(self) -> type[Reading]:
        return Talking

    def prepare(self) -> None:
        """Open the scene, and take a few steps so that everything is compiled and loaded before the page opens.

        Raises an AvwError if the scene or the model cannot be used.
        """
        self._ready = self._compute(self._warmed)

    def server_close(self) -> None:
        self._closing = True
        super().server_close()
        self._computing.shutdown(wait=True, cancel_futures=True)
        for walk in self._walks.values():
            self._finish(walk)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Requests that were waiting when the server was closed are dropped."""
        if not self._closing:
            super().handle_error(request, client_address)

    def get(self, path: str) -> Answer:
        if path == "":
            return html(self._page())
        if path == "plan":
            try:
                return json_answer(self._plan())
            except _EndedError as error:
                return sentence(HTTPStatus.GONE, str(error))
        what, _, name = path.partition("/")
        if what == "recording" and name in self._written:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            attached = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Answer(self._written[name].read_bytes(), kind, headers=attached)
        return sentence(HTTPStatus.NOT_FOUND, "there is no such page")

    def post(self, path: str, values: dict[str, Any]) -> Answer:
        actions = {"open": self._open, "step": self._step, "anchor": self._anchor, "record": self._record}
        try:
            if path == "close":
                self._close(str(values.get("walk")))
                return json_answer({})
            if path not in actions:
                return sentence(HTTPStatus.NOT_FOUND, "there is no such page")
            return actions[path](values)
        except UsageError as error:
            return sentence(HTTPStatus.BAD_REQUEST, str(error))
        except _EndedError as error:
            return sentence(HTTPStatus.GONE, str(error))
        except AvwError as error:
            return sentence(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    # What the page asks for

    def _open(self, values: dict[str, Any]) -> Answer:
        """Begin a walk; with "walk", in the tab that has one already."""
        seed = _whole(values, "seed", least=0, most=2**31)
        name = values.get("walk")
        if name is None:
            name = secrets.token_urlsafe(8)
            session = self._compute(self._new_session)
            with self._walks_lock:
                self._walks[name] = Walk(session)
                ended = [self._walks.popitem(last=False)[1] for _ in range(len(self._walks) - MOST_WALKS)]
            for walk in ended:
                self._computing.submit(self._end, walk)
        walk = self._walk(name)

        def begin() -> Moment:
            self._finish(walk)
            return walk.session.reset(seed)

        moment = self._compute(begin)
        source = walk.session.source.position_3
        return self._moment(walk, moment, {"walk": name, "seed": seed, "source": [source[0], source[2]]})

    def _step(self, values: dict[str, Any]) -> Answer:
        walk = self._walk(values.get("walk"))
        action = Action(_whole(values, "action", least=0, most=len(Action) - 1))
        every = _whole(values, "anchor_every", least=0, most=MOST_STEPS)
        heard = values.get("heard")
        if heard not in HEARD:
            raise UsageError(f"heard is {heard!r}: expected one of {', '.join(HEARD)}")

        def act() -> Moment:
            walk.session.anchor_every = every
            moment = walk.session.step(action)
            if walk.recorder is not None:
                walk.recorder.add(moment, heard)
            return moment

        return self._moment(walk, self._compute(act), {})

    def _anchor(self, values: dict[str, Any]) -> Answer:
        self._compute(self._walk(values.get("walk")).session.anchor)
        return json_answer({})

    def _record(self, values: dict[str, Any]) -> Answer:
        """Start a recording, or end it and write its files."""
        walk = self._walk(values.get("walk"))
        if not values.get("on"):
            paths = self._compute(lambda: self._finish(walk))
            return json_answer({"files": [path.name for path in paths], "folder": str(self.out)})

        def begin() -> None:
            session = walk.session
            walk.recorder = Recorder(session.simulator.ref, session.source, self.model is not None)

        self._compute(begin)
        return json_answer({})

    def _finish(self, walk: Walk) -> list[Path]:
        """End the recording of a walk, and write its files. Only in the computing thread, which adds to it, or when
        that has ended."""
        recorder, walk.recorder = walk.recorder, None
        if recorder is None or not len(recorder):
            return []
        paths = recorder.write(self.out)
        self._written |= {path.name: path for path in paths}
        return paths

    def _close(self, name: str) -> None:
        """The tab was closed: write its recording, and forget its walk."""
        with self._walks_lock:
            walk = self._walks.pop(name, None)
        if walk is not None:
            self._computing.submit(self._end, walk)

    def _end(self, walk: Walk) -> None:
        try:
            self._finish(walk)
        finally:
            walk.session.close()

    # The parts of the answers

    def _moment(self, walk: Walk, moment: Moment, more: dict[str, Any]) -> Answer:
        recorder = walk.recorder
        recorded = None if recorder is None else len(recorder)
        full = recorder is not None and recorder.full
        content = packed_moment(moment, {**more, "recorded": recorded, "recording_full": full})
        return Answer(content, "application/octet-stream")

    def _plan(self) -> dict[str, Any]:
        """The floor plan, and where pixels are on it."""
        plan = self._compute(lambda: floor_plan(self.config.scene))
        if plan is None:
            session = self._ready or self._any_session()
            places = [session.simulator.pose.position_3, np.array(session.source.position_3)]
            plan = blank_plan(np.stack(places))
        return {
            "picture": plan.picture,
            "width": plan.width,
            "height": plan.height,
            "origin": list(plan.origin_xz),
            "metre": 1.0 / plan.metres_per_pixel,
            "rooms": plan.names(),
        }

    def _any_session(self) -> Session:
        with self._walks_lock:
            walk = next(reversed(self._walks.values()), None)
        if walk is None:
            raise _EndedError("there is no walk yet: reload the page")
        return walk.session

    def _page(self) -> str:
        model = self.model
        facts = {
            "scene": self.config.scene,
            "sound": Path(self.config.sound).stem,
            "run": self.run if model is not None else None,
            "size": self.config.simulator.size,
            "hfov": self.config.simulator.hfov,
            "step": STEP_SECONDS,
            "seed": self.config.seed,
            "anchor_every": self.config.anchor_every,
            "reach": 0 if model is None else model.max_offset,
            "farthest": FARTHEST,
            "depth_colours": depth_colours(np.linspace(0.0, FARTHEST, 255)[None, None])[0, 0].tolist(),
            "success_distance": TaskConfig().success_distance,
        }
        values = {
            "policy": SERVED_POLICY,
            "title": escape(Path(self.config.scene).stem),
            "style": resource("colours.css") + resource("hover.css") + resource("play.css", __package__),
            "script": "\n".join(
                [*(resource(name) for name in SCRIPTS), *(resource(name, __package__) for name in PLAY_SCRIPTS)]
            ),
            "data": script_json(facts),
        }
        return filled(resource("play.html", __package__), values)

    # Computation

    def _compute(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, which runs after everything that was asked before."""
        return self._computing.submit(work).result()

    def _new_session(self) -> Session:
        ready, self._ready = self._ready, None
        return ready or Session(self.config, self.model)

    def _warmed(self) -> Session:
        session = Session(self.config, self.model)
        session.reset(self.config.seed)
        for action in (Action.TURN_LEFT, Action.FORWARD, Action.STOP):
            session.step(action)
        return session

    def _walk(self, name: Any) -> Walk:
        with self._walks_lock:
            if not isinstance(name, str) or name not in self._walks:
                raise _EndedError(
                    f"this walk has ended, because {MOST_WALKS} other tabs were opened after it, or because avw play "
                    "was started again: reload the page"
                )
            self._walks.move_to_end(name)
            return self._walks[name]


class _EndedError(AvwError):
    """A request for a walk that is not kept any more."""


def _whole(values: dict[str, Any], name: str, *, least: int, most: int) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{name} is {value!r}: expected a whole number from {least} to {most}")
    return value


PLAY_SCRIPTS = ("sound.js", "curves.js", "play.js")
