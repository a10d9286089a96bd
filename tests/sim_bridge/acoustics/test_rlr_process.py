"""The parent's side of RLR's process: hangs, crashes and invalid replies become clear errors. RLR is not needed."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from avw.sim_bridge.acoustics.rlr_process import RlrProcess
from avw.sim_bridge.errors import BackendError

ECHO = (
    "import sys; from avw.sim_bridge.process.messages import receive, send\n"
    "while True:\n"
    "    try: header, arrays = receive(sys.stdin.buffer)\n"
    "    except EOFError: break\n"
    "    send(sys.stdout.buffer, header, *arrays)\n"
)


def process(program: str, patience: float = 20.0) -> RlrProcess:
    return RlrProcess("a house", patience, (sys.executable, "-c", program))


def test_large_messages_are_returned_unchanged() -> None:
    child = process(ECHO)
    large = np.arange(300_000, dtype=np.float32).reshape(-1, 3)  # far more than a pipe holds
    for _ in range(2):
        reply, (answer,) = child.ask({"do": "scene", "n": 1}, large)
        assert reply == {"do": "scene", "n": 1}
        np.testing.assert_array_equal(answer, large)
    child.close()
    child.close()


def test_a_crash_is_reported_with_its_error_output() -> None:
    child = process("import sys, os; sys.stderr.write('could not open materials'); sys.stderr.flush(); os.abort()")
    with pytest.raises(BackendError, match=r"signal 6 while it handled 'scene' in scene 'a house'.*could not open mat"):
        child.ask({"do": "scene"})
    with pytest.raises(BackendError, match="set_source"):
        child.ask({"do": "scene"})


def test_an_early_exit_is_reported_with_its_exit_code() -> None:
    with pytest.raises(BackendError, match=r"exit code 3.*it wrote nothing to stderr"):
        process("raise SystemExit(3)").ask({"do": "scene"})


@pytest.mark.parametrize("reads", [True, False], ids=["while answering", "while it is being sent to"])
def test_a_hang_is_ended_in_time(reads: bool) -> None:
    wait = "import sys, time; print('solving', file=sys.stderr, flush=True); "
    child = process(wait + ("sys.stdin.buffer.read(10); " if reads else "") + "time.sleep(60)", patience=0.7)
    begin = time.monotonic()
    with pytest.raises(BackendError, match=r"silent for 0.7 s.*patience_seconds"):
        child.ask({"do": "listen"}, np.zeros(0 if reads else 1_000_000, dtype=np.float32))
    assert time.monotonic() - begin < 10.0
    child.close()


def test_an_invalid_reply_is_reported_as_a_crash() -> None:
    with pytest.raises(BackendError, match="ended"):
        process("print('HTTP/1.1 200 OK', flush=True)").ask({"do": "scene"})


def test_an_error_reply_is_passed_on() -> None:
    child = process(ECHO)
    with pytest.raises(BackendError, match=r"reported an error.*too many corners"):
        child.ask({"do": "scene", "error": "too many corners"})
    child.close()
