"""A picture of the top of a page: ``python -m tests.browser.screenshots report.html picture.png [HEIGHT]``."""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH, HEIGHT, COLOURS = 1100, 1500, 64
"""Pixels, and how many colours are kept of them."""


def taken(page: Path, height: int) -> bytes:
    """The top of a page as PNG."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_context(offline=True, viewport={"width": WIDTH, "height": height}).new_page()
        tab.goto(page.resolve().as_uri())
        picture: bytes = tab.screenshot()
        browser.close()
    return picture


def main(arguments: list[str]) -> None:
    """Take a picture and keep it small."""
    page, place, *height = arguments
    whole = Image.open(io.BytesIO(taken(Path(page), int(height[0]) if height else HEIGHT)))
    whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(place, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
