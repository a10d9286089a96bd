"""The worker as a file that runs elsewhere: old Pythons, nothing but numpy and habitat_sim, messages to the letter."""

from __future__ import annotations

import ast
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.sim_bridge.process import messages
from avw.sim_bridge.process.child import Child
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.habitat import worker
from tests.sim_bridge.processes import is_running, wait_for

FILE = Path(worker.__file__)
TREE = ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 7))
# Of the standard library, what was there before 3.7.
MODULES = {"ctypes", "json", "math", "mmap", "os", "signal", "struct", "sys", "time", "typing"}


def ask(*headers: dict) -> list[dict]:
    """The replies of a worker in this interpreter to requests, the first of which is a protocol's number."""
    child = Child((sys.executable, str(FILE)))
    try:
        return [child.ask(header, patience=60.0)[0] for header in headers]
    finally:
        child.close()


def test_it_is_written_for_python_3_7_and_imports_nothing_of_ours() -> None:
    names = set()
    for node in ast.walk(TREE):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + str(node.module).split(".")[0])
    assert names - MODULES == {"numpy", "habitat_sim"}
    top = {alias.name for node in TREE.body if isinstance(node, ast.Import) for alias in node.names}
    assert "habitat_sim" not in top, "its failure must be an answer, and so must come later"


@settings(max_examples=30)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=3),
    kind=st.sampled_from(["<f4", "<i4", "<f8", "|u1", "|b1"]),
    said=st.text(max_size=20),
)
def test_both_sides_speak_the_same(shapes: list[list[int]], kind: str, said: str) -> None:
    rng = keyed_rng("test", "messages", said)
    arrays = [rng.integers(0, 2, size=shape).astype(kind) for shape in shapes]
    ours, theirs = io.BytesIO(), io.BytesIO()
    messages.send(ours, {"do": said}, *arrays)
    worker.send(theirs, {"do": said}, arrays)
    for stream, receive in ((ours, worker.receive), (theirs, messages.receive)):
        stream.seek(0)
        header, received = receive(stream)
        assert header == {"do": said}
        for sent, got in zip(arrays, received, strict=True):
            assert sent.dtype == got.dtype
            assert sent.shape == got.shape
            assert np.array_equal(sent, got)


def test_a_worker_of_another_protocol_says_so_before_anything_else() -> None:
    (reply,) = ask({"do": "hello", "protocol": worker.PROTOCOL + 1})
    assert reply["kind"] == "protocol"
    assert f"speaks protocol {worker.PROTOCOL}" in reply["error"]


def test_what_it_does_not_know_is_an_answer_and_not_its_death() -> None:
    first, second = ask({"do": "dance"}, {"do": "hello", "protocol": -1})
    assert first["kind"] == "failed"
    assert second["kind"] == "protocol"


def test_a_closed_pipe_ends_it_and_ctrl_c_does_not() -> None:
    child = subprocess.Popen([sys.executable, str(FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(2):
            messages.send(child.stdin, {"do": "hello", "protocol": -1 - number})
            assert "protocol" in messages.receive(child.stdout)[0]["kind"]
            os.kill(child.pid, signal.SIGINT)
        assert is_running(child.pid)
        child.stdin.close()
        assert child.wait(timeout=60) == 0
    assert wait_for(lambda: not is_running(child.pid))


def test_what_libraries_print_does_not_end_up_among_the_messages(tmp_path: Path) -> None:
    # What greets an import here is what C++ libraries print to the descriptor itself.
    (tmp_path / "habitat_sim.py").write_text("import os\nos.write(1, b'hello\\n')\nprint('there', flush=True)\n1 / 0\n")
    child = Child((sys.executable, str(FILE)), {**os.environ, "PYTHONPATH": str(tmp_path)})
    reply, _ = child.ask({"do": "hello", "protocol": worker.PROTOCOL}, patience=60.0)
    child.close()
    assert reply == {"error": "ZeroDivisionError: division by zero", "kind": "import"}


def test_it_ends_with_its_parent_even_in_the_middle_of_a_long_call(tmp_path: Path) -> None:
    begun = tmp_path / "pid"
    (tmp_path / "habitat_sim.py").write_text(
        f"import os, time\nopen({str(begun)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    parent = (
        "from avw.sim_bridge.process.child import Child; import os, sys\n"
        f"child = Child((sys.executable, {str(FILE)!r}), {{**os.environ, 'PYTHONPATH': {str(tmp_path)!r}}})\n"
        f"child.ask({{'do': 'hello', 'protocol': {worker.PROTOCOL}}}, patience=600.0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    pid = int(wait_for(lambda: begun.read_text() if begun.exists() else ""))
    assert is_running(pid)
    process.kill()
    process.wait()
    assert wait_for(lambda: not is_running(pid), 20.0)


def triangles(*corners: tuple[float, float]) -> np.ndarray:
    """float32 (N, 3, 3): right triangles with legs of 1 m at these corners, seen from above."""
    shape = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return np.array([shape + np.array([x, 0.0, z]) for x, z in corners], dtype=np.float32)


def test_pieces_of_floor_are_told_apart_by_their_corners() -> None:
    chain = triangles(*((float(n), 0.0) for n in range(60)))  # one long chain, corner to corner
    apart = triangles((0.0, 5.0), (1.0, 5.0), (9.0, 9.0))
    order = keyed_rng("test", "joined").permutation(63)
    label_N = worker.joined(np.concatenate([chain, apart])[order])
    label_N = label_N[np.argsort(order)]
    assert label_N.dtype == np.int32
    assert len(set(label_N[:60])) == 1
    assert label_N[60] == label_N[61]
    assert len({label_N[0], label_N[60], label_N[62]}) == 3
    assert sorted(set(label_N)) == [0, 1, 2]
    assert worker.joined(np.zeros((0, 3, 3), dtype=np.float32)).shape == (0,)


def test_a_long_header_is_refused() -> None:
    stream = io.BytesIO()
    messages.send(stream, {"do": "x" * worker.MAX_HEADER})
    stream.seek(0)
    with pytest.raises(EOFError):
        worker.receive(stream)
