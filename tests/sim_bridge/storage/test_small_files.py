"""Small files from anyone: read right, or refused with the reason; never a hang or memory without bound."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from avw.sim_bridge.storage.small_files import parse_json, parse_lines, read_bytes, read_json, read_object, read_text


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "\xc3\xa9"]}', {"a": [1, 2.5, True, None, "é"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),  # as Notepad and PowerShell write it
        (b'{"seed": -170141183460469231731687303715884105728}', {"seed": -(2**127)}),
    ],
)
def test_what_is_valid_is_read(tmp_path: Path, content: bytes, value: object) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert read_json(tmp_path / "x.json") == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"a": "\xff"}', r"not UTF-8 text \(byte 7\)"),
        (b'{"a": 1, "a": 2}', "'a' is named twice"),
        (b'{"a": NaN}', "NaN is not a finite number"),
        (b'{"a": -Infinity}', "-Infinity is not a finite number"),
        (b'{"a": 1e400}', "1e400 is not a finite number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too large a number"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a": "' + b"x" * 1000 + b'"}', "more than 1,000 bytes"),
    ],
)
def test_what_is_not_valid_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_object(tmp_path / "x.json", 1000 if b"xxx" in content else 2**20)


def test_measurements_may_be_infinite() -> None:
    assert parse_json("[Infinity, 1e400]", finite=False) == [float("inf")] * 2


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name, reason in (
            ("pipe", "a pipe"), ("link", "a link"), ("folder", "a folder"), ("socket", "a socket"),
            ("to-pipe", "a link"), ("/dev/zero", "a device"),
        ):  # fmt: skip
            with pytest.raises(ValueError, match=f"it is {reason}"):
                read_bytes(tmp_path / name)
    assert read_text(tmp_path / "link", links=True) == "text"
    with pytest.raises(ValueError, match="a pipe"):
        read_bytes(tmp_path / "to-pipe", links=True)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "missing")


def test_lines_are_read_one_by_one() -> None:
    bad: list[tuple[int, str]] = []
    lines = ['{"a": 1}', "[]", '{"a": "\udcff"}', '{"a": 2}']
    found = list(parse_lines(lines, damaged=lambda number, error: bad.append((number, str(error)))))
    assert found == [(1, {"a": 1}), (4, {"a": 2})]
    assert bad == [(2, "not a JSON object"), (3, "not UTF-8 text")]
