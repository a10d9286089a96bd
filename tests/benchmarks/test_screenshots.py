"""`benchmarks.screenshots` takes a page in the light, the dark and the narrow version."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.screenshots import SIZES, pictures
from tests.browser import MISSING, Browser, find_browser

PAGE = """<!doctype html><style>body { background: #fff; }
#mark { position: fixed; inset: 0 50% 50% 0; background: #f00; }
@media (prefers-color-scheme: dark) { body { background: #000; } }</style><p id="text">text</p>"""


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason=MISSING)
def test_each_version_is_a_picture_of_the_page_after_the_action(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE)

    def act(browser: Browser, version: str) -> None:
        browser.evaluate("document.getElementById('text').id = 'mark'")

    paths = pictures((tmp_path / "page.html").as_uri(), "page", tmp_path, act)
    assert [path.name for path in paths] == ["page.webp", "page-dark.webp", "page-phone.webp"]
    for path, (version, size) in zip(paths, SIZES.items(), strict=True):
        with Image.open(path) as picture:
            assert picture.size == size
            red, _, blue = picture.getpixel((size[0] // 4, size[1] // 4))
            assert red > 200 > 60 > blue
            assert (sum(picture.getpixel((size[0] - 9, size[1] - 9))) < 60) == (version == "-dark")
