#!/usr/bin/env -S sh -c 'exec "$(dirname "$0")/../.venv/bin/python" "$0" "$@"'
"""Take a screenshot of a result from the running app, or with --all of every page, narrow and wide, light and dark."""

import argparse
import os
import shutil
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
from PIL import Image
from playwright.sync_api import Browser, FloatRect, sync_playwright

from iris_app.schema import Schema

WIDTHS = {"narrow": 320, "wide": 1280}
SCHEMES = ("light", "dark")
README = Path(__file__).parent.parent / "docs" / "result.png"


def pages(url: str) -> dict[str, str]:
    """Return the addresses of pages, with values of the model that is served."""
    with urlopen(f"{url}/model/manifest.json") as response:  # noqa: S310 -- what the caller names
        manifest = msgspec.json.decode(response.read())
    schema = msgspec.convert(manifest["schema"], Schema)
    filled = {one.form_name: one.format(one.encode(one.example)) for one in schema.features}
    unusual = filled | {one.form_name: one.format(one.at_most or 1000.0) for one in schema.features if one.is_numeric}
    wrong = filled | dict(zip(filled, ["", "1e9", "wide"], strict=False))
    return {
        "form": "/home",
        "filled": f"/home?{urlencode(filled)}",
        "result": f"/classify?{urlencode(filled)}",
        "unusual": f"/classify?{urlencode(unusual)}",
        "errors": f"/classify?{urlencode(wrong)}",
        "missing": "/missing",
        "batch": "/batch",
        "model": "/model",
        "api": "/api/docs",
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the app runs (%(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", type=Path, metavar="PATH", default=README, help="the picture (the README's)")
    parser.add_argument("--height", type=int, help="cut the result's picture off below so many pixels")
    where.add_argument("--all", type=Path, metavar="DIR", help="every page, into this folder")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = playwright.chromium.launch(
            executable_path=shutil.which(os.environ.get("CHROMIUM", "chromium")), chromium_sandbox=not root
        )
        addresses = pages(arguments.url)
        if arguments.all:
            for page, address in addresses.items():
                for name, width in WIDTHS.items():
                    for scheme in SCHEMES:
                        picture = arguments.all / f"{page}-{name}-{scheme}.png"
                        shoot(browser, arguments.url + address, width, scheme, picture)
        else:
            shoot(browser, arguments.url + addresses["result"], 1100, "light", arguments.output, arguments.height)
            shrink(arguments.output)
        browser.close()


def shoot(browser: Browser, address: str, width: int, scheme: str, picture: Path, height: int | None = None) -> None:
    """Save a picture of a whole page, or of its upper part."""
    context = browser.new_context(
        viewport={"width": width, "height": 400},
        color_scheme=scheme,  # type: ignore[arg-type] # one of SCHEMES
        device_scale_factor=2 if width < 600 else 1,
    )
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    part: FloatRect | None = {"x": 0, "y": 0, "width": width, "height": height} if height else None
    page.screenshot(path=picture, full_page=True, clip=part)
    context.close()
    print(picture)


def shrink(picture: Path) -> None:
    """Keep few colours, which makes a picture less than half as large."""
    with Image.open(picture) as image:
        image.quantize(64).save(picture, optimize=True)


if __name__ == "__main__":
    main()
