"""A headless Chromium, controlled through its debugging pipe, without a library or a network port."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = "no Chromium on this machine (Debian: apt-get install chromium)"


def find_browser() -> str | None:
    return next((path for name in CANDIDATES if (path := shutil.which(name))), None)


class Browser:
    """The tabs of a new browser process; one is open at first.

    errors: errors in the pages · requests: all requested addresses
    """

    def __init__(self, width: int = 1440, height: int = 900, *, dark: bool = False) -> None:
        program = find_browser()
        assert program, MISSING
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._number = 0
        self._rest = b""
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        # Move them above 3 and 4, the descriptors that the child expects.
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in (to_child, from_child)]
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run",
                   "--remote-debugging-pipe", "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   f"--user-data-dir={self._profile.name}", "about:blank"]  # fmt: skip
        self._process = subprocess.Popen(
            [program, *options], close_fds=False, preexec_fn=lambda: (os.dup2(high[0], 3), os.dup2(high[1], 4)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (to_child, from_child, *high):
            os.close(end)
        self._size, self._scheme = (width, height), "dark" if dark else "light"
        self.tabs: list[tuple[str, str]] = []
        self.new_tab()

    def new_tab(self) -> int:
        """Open a tab and switch to it. Returns its number."""
        target = self._send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.tabs.append((target, session))
        self.switch(len(self.tabs) - 1)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        width, height = self._size
        self.send("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})  # fmt: skip
        self.send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": self._scheme}]})
        return len(self.tabs) - 1

    def switch(self, tab: int) -> None:
        """All further calls concern this tab."""
        self._session = self.tabs[tab][1]

    def close_tab(self, tab: int) -> None:
        self._send("Target.closeTarget", {"targetId": self.tabs[tab][0]})

    def send(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._send(method, parameters or {}, self._session)

    def open(self, address: str) -> None:
        self.send("Page.navigate", {"url": address})
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; promises are awaited."""
        answer = self.send("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + seconds
        while not self.evaluate(f"!!({expression})"):
            assert time.monotonic() < until, f"{expression} was not true within {seconds} s; {self.errors}"
            time.sleep(0.05)

    def key(self, key: str, *, shift: bool = False) -> None:
        event = {"key": key, "modifiers": 8 if shift else 0, **({"text": key} if len(key) == 1 else {})}
        self.send("Input.dispatchKeyEvent", {"type": "keyDown", **event})
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def hold(self, key: str) -> None:
        """Press a key, and keep it down until `let_go`."""
        self.send("Input.dispatchKeyEvent", {"type": "keyDown", "key": key})

    def let_go(self, key: str) -> None:
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": key})

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            place = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
            self.send("Input.dispatchMouseEvent", {"type": kind, **place})

    def move(self, x: float, y: float) -> None:
        """Move the pointer without a pressed button."""
        self.send("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, shift: bool = False) -> None:
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            place = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1, "modifiers": 8 if shift else 0}
            self.send("Input.dispatchMouseEvent", {"type": kind, **place})

    def box(self, element: str) -> tuple[float, float, float, float]:
        """(left, top, width, height) of an element, given as a JavaScript expression."""
        found = self.evaluate(
            f"(({{left, top, width, height}}) => [left, top, width, height])({element}.getBoundingClientRect())"
        )
        return tuple(found)

    def downloaded(self, folder: Path, act: str) -> Path:
        """The file that the page saves when an expression is evaluated. folder: an empty one"""
        self._send("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
        self.evaluate(act)
        until = time.monotonic() + 30
        while not (found := [path for path in folder.iterdir() if path.suffix != ".crdownload"]):
            assert time.monotonic() < until, f"nothing was downloaded; {self.errors}"
            time.sleep(0.05)
        return found[0]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", {"format": "png"})["data"]))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            block = os.read(self._read, 1 << 20)
            assert block, "the browser process has ended"
            self._rest += block
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        method, values = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.errors.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")
