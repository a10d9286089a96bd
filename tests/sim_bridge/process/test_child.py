"""Supervised children, with real processes: answers, and children that die, stop, hang or send invalid messages."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.process import child as supervision
from avw.sim_bridge.process.child import Child, ChildError
from tests.sim_bridge.processes import is_running, wait_for

LISTEN = "import os, signal, sys, threading, time; from avw.sim_bridge.process.messages import receive, send\n"
ECHO = (
    "while True:\n"
    "    try: header, arrays = receive(sys.stdin.buffer)\n"
    "    except EOFError: break\n"
    "    send(sys.stdout.buffer, header, *arrays)\n"
)


def answering(program: str) -> Child:
    """A child that runs `program` after it has read its first request."""
    return Child((sys.executable, "-c", LISTEN + "receive(sys.stdin.buffer)\n" + program))


def framed(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def test_large_arrays_come_back_unchanged() -> None:
    child = Child((sys.executable, "-c", LISTEN + ECHO))
    large = np.arange(300_000, dtype=np.float32).reshape(-1, 3)  # far more than a pipe holds
    for number in range(2):
        reply, (answer, empty) = child.ask({"do": "echo", "n": number}, large, np.zeros((0, 3)), patience=60.0)
        assert reply == {"do": "echo", "n": number}
        np.testing.assert_array_equal(answer, large)
        assert empty.shape == (0, 3)
    assert not child.ended
    child.close()
    assert child.ended
    child.close()


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("import ctypes; ctypes.string_at(0)", "signal 11"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
        ("print('no such house', file=sys.stderr, flush=True); os.abort()", "signal 6"),
        ("raise SystemExit(3)", "exit code 3"),
        ("os._exit(0)", "exit code 0"),
    ],
)
def test_a_death_is_reported_with_its_cause_and_the_last_output(program: str, how: str) -> None:
    with pytest.raises(ChildError) as raised:
        answering(program).ask({"do": "die"}, patience=60.0)
    assert (raised.value.how, raised.value.silent) == (how, False)
    assert ("'no such house'" in raised.value.words) == ("no such house" in program)


def test_a_stopped_child_is_noticed_long_before_the_deadline() -> None:
    child, begin = answering("os.kill(os.getpid(), signal.SIGSTOP)"), time.monotonic()
    with pytest.raises(ChildError, match="was stopped") as raised:
        child.ask({"do": "stop"}, patience=300.0)
    assert time.monotonic() - begin < 20.0
    assert raised.value.silent
    assert child.ended
    assert not is_running(child.pid)


def test_a_child_that_hangs_in_a_lock_is_distinguished_from_one_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_STALLED", 1.0)
    with pytest.raises(ChildError, match="hung: it used no processor time for 1 s"):
        answering("lock = threading.Lock(); lock.acquire(); lock.acquire()").ask({"do": "wait"}, patience=300.0)
    works = answering("end = time.monotonic() + 3\nwhile time.monotonic() < end: pass\nsend(sys.stdout.buffer, {})")
    assert works.ask({"do": "work"}, patience=300.0) == ({}, [])
    works.close()


def test_a_child_that_works_but_never_answers_is_killed_at_the_deadline() -> None:
    begin = time.monotonic()
    with pytest.raises(ChildError, match="was silent for 1 s"):
        answering("while True: pass").ask({"do": "work"}, patience=1.0)
    assert time.monotonic() - begin < 20.0


def test_a_child_that_uses_up_the_memory_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_MEMORY_SHARE", 0.5e9 / supervision._MEMORY)
    greedy = answering("kept = []\nwhile True: kept.append(bytearray(b'x' * 10_000_000)); time.sleep(0.01)")
    with pytest.raises(ChildError, match=r"was using \d+ GB of memory") as raised:
        greedy.ask({"do": "work"}, patience=300.0)
    assert raised.value.hopeless
    assert not is_running(greedy.pid)


def test_a_child_that_does_not_read_does_not_block_the_writer() -> None:
    child = Child((sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(ChildError, match=r"was silent for 0\.7 s"):
        child.ask({"do": "read"}, np.zeros(1_000_000, dtype=np.float32), patience=0.7)


INVALID = {
    "text": b"HTTP/1.1 200 OK\r\n",
    "not JSON": framed(b"\xff\xfe not JSON"),
    "a list": framed(b"[1, 2]"),
    "no arrays": framed(b'{"error": "sorry"}'),
    "arrays that are a number": framed(b'{"arrays": 3}'),
    "no dtype": framed(b'{"arrays": [{"dtype": "no type", "shape": [1]}]}'),
    "objects": framed(b'{"arrays": [{"dtype": "|O", "shape": [1]}]}') + bytes(8),
    "a negative shape": framed(b'{"arrays": [{"dtype": "<f4", "shape": [-2]}]}'),
    "an endless array": framed(json.dumps({"arrays": [{"dtype": "<f4", "shape": [10**15]}]}).encode()),
    "a shape of words": framed(b'{"arrays": [{"dtype": "<f4", "shape": ["x"]}]}'),
}


@pytest.mark.parametrize("content", INVALID.values(), ids=INVALID)
def test_an_invalid_message_is_a_death_without_delay(content: bytes) -> None:
    talks = f"sys.stdout.buffer.write({content!r}); sys.stdout.buffer.flush(); sys.stdin.buffer.read()"
    child, begin = answering(talks), time.monotonic()
    with pytest.raises(ChildError):
        child.ask({"do": "answer"}, patience=300.0)
    assert time.monotonic() - begin < 20.0
    assert child.ended


def test_an_answer_that_is_cut_short_is_a_death() -> None:
    cut = framed(b'{"arrays": [{"dtype": "<f4", "shape": [4]}]}') + bytes(7)
    with pytest.raises(ChildError, match="exit code 5"):
        answering(f"sys.stdout.buffer.write({cut!r}); raise SystemExit(5)").ask({"do": "answer"}, patience=60.0)


def test_a_command_that_cannot_be_run_raises_oserror(tmp_path: Path) -> None:
    for command in ("/no/such/python", str(tmp_path)):
        with pytest.raises(OSError):
            Child((command, "-c", ""))


def test_killing_the_parent_ends_its_child(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    parent = (
        "import sys, time; from pathlib import Path; from avw.sim_bridge.process.child import Child\n"
        f"child = Child((sys.executable, '-c', {LISTEN + ECHO!r}))\n"
        "child.ask({'do': 'echo'}, patience=60.0)\n"
        f"Path({str(told)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", parent])
    orphan = int(wait_for(lambda: told.read_text() if told.exists() else ""))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert wait_for(lambda: not is_running(orphan))
