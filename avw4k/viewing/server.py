"""The local server of the viewer: read-only."""

from __future__ import annotations

from http import HTTPStatus

from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.local_server import Answer, LocalServer, html, json_answer, sentence
from avw.avw4k.viewing.page import served_page
from avw.sim_bridge.errors import AvwError, UsageError


class ViewerServer(LocalServer):
    """Serves a library: GET /TOKEN/ is the page, GET /TOKEN/clip/ID a clip. Anything else is refused."""

    def __init__(self, library: Library, port: int = 0) -> None:
        self.library = library
        super().__init__(port, command="avw view")

    def get(self, path: str) -> Answer:
        if path == "":
            return html(served_page(self.library))
        what, _, name = path.partition("/")
        if what != "clip":
            return sentence(HTTPStatus.NOT_FOUND, "there is no such page")
        try:
            return json_answer(self.library.entry(name))
        except UsageError as error:
            return sentence(HTTPStatus.NOT_FOUND, str(error))
        except AvwError as error:
            return sentence(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
