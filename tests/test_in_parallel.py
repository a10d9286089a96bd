"""The parts of the suite that run at the same time: together they are the whole suite."""

from __future__ import annotations

from pathlib import Path

from tests import ROOT
from tests.in_parallel import parts, run_part


def test_every_test_file_is_in_one_part() -> None:
    listed = [path for paths in parts().values() for path in paths]
    files = [file for path in listed for file in ([path] if path.is_file() else path.rglob("test_*.py"))]
    assert sorted(files) == sorted((ROOT / "tests").rglob("test_*.py"))


def test_a_part_that_fails_is_told_from_one_without_tests(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert 1 == 2\n")
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    bad = run_part("bad", [tmp_path], options)
    assert bad.failed
    assert "assert 1 == 2" in bad.output
    assert not run_part("good", [tmp_path], [*options, "-k", "good"]).failed
    assert not run_part("none", [tmp_path], [*options, "-k", "absent"]).failed
