"""The report in a real browser: its width, its pictures, its requests, its dark dress."""

import functools
import html as markup
import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ganforget.report import write_report
from report_runs import AFTER, write_run

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium")

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
]
OPTIONS += ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
OPTIONS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1400,900"]

WIDE, NARROW = 1280, 390
HOSTILE = "<script>document.title='changed'</script><img src=http://example.com/x.png>" + "x" * 300

PROBE = """<!doctype html><title>probe</title>
<body>%s<script>
addEventListener("load", () => {
  const facts = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, view = frame.contentWindow;
    page.querySelectorAll("details").forEach(details => { details.open = true; });
    const seen = [...page.querySelectorAll("body *")].filter(it => !it.closest(".unseen, svg, thead"));
    const right = Math.max(...seen.map(it => it.getBoundingClientRect().right));
    const images = [...page.images];
    const colour = it => view.getComputedStyle(it);
    return {
      title: page.title,
      scroll_width: page.documentElement.scrollWidth,
      right: right,
      images: images.length,
      broken: images.filter(it => !it.complete || it.naturalWidth === 0).length,
      blurred: images.filter(it => colour(it).imageRendering !== "pixelated").length,
      narrowest_tile: Math.min(...[...page.querySelectorAll(".strips img")].map(it => it.clientWidth)),
      drawings: [...page.querySelectorAll("svg")].filter(it => it.clientHeight > 100).length,
      requests: view.performance.getEntriesByType("resource").map(it => it.name).filter(it => !it.startsWith("data:")),
      background: colour(page.body).backgroundColor,
      ink: colour(page.body).color,
      chart_text: [...page.querySelectorAll("svg text")].map(it => colour(it).fill),
    };
  });
  document.body.textContent = "FACTS" + JSON.stringify(facts) + "END";
});
</script>"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and keeps the paths that were asked for."""

    asked: list[str]

    def __init__(self, *arguments: Any, asked: list[str], **options: Any) -> None:
        self.asked = asked
        super().__init__(*arguments, **options)

    def log_message(self, format: str, *arguments: Any) -> None:
        self.asked.append(self.path)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve ``folder`` on this machine: the address, and the list of what is asked for."""
    asked: list[str] = []
    handler = functools.partial(Handler, directory=str(folder), asked=asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def look(folder: Path, profile: Path, views: list[tuple[str, int]], *options: str) -> list[dict[str, Any]]:
    """Open reports of runs in ``folder`` at given widths and return what the browser finds."""
    frames = "".join(f'<iframe src="/{run}/report.html" width="{width}" height="900"></iframe>' for run, width in views)
    (folder / "probe.html").write_text(PROBE % frames, encoding="utf-8")
    with served(folder) as (address, asked):
        command = [
            str(CHROMIUM),
            *OPTIONS,
            *options,
            f"--user-data-dir={profile}",
            "--virtual-time-budget=5000",
        ]
        done = subprocess.run(
            [*command, "--dump-dom", f"{address}/probe.html"],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    found = re.search(r"FACTS(.*)END", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    assert set(asked) <= {"/probe.html", "/favicon.ico", *(f"/{run}/report.html" for run, _ in views)}
    return json.loads(markup.unescape(found[1]))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_report(write_run(folder / "item"))
    write_report(write_run(folder / "class", "class"))
    texts = dict.fromkeys(("substitute", "destination_rule", "fd_name", "extractor", "fake_label_rule"), HOSTILE)
    write_report(write_run(folder / "hostile", **texts, warnings=[HOSTILE], retrained=AFTER))
    return folder


VIEWS = [(run, width) for run in ("item", "class", "hostile") for width in (WIDE, NARROW)]


@pytest.fixture(scope="module")
def views(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, Any]]:
    return dict(zip(VIEWS, look(runs, tmp_path_factory.mktemp("profile"), VIEWS), strict=True))


every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")


@every_view
def test_page_is_not_wider_than_the_window(views: dict[tuple[str, int], dict[str, Any]], view: tuple[str, int]):
    facts = views[view]
    assert facts["scroll_width"] <= view[1]
    assert facts["right"] <= view[1]


@every_view
def test_every_picture_shows(views: dict[tuple[str, int], dict[str, Any]], view: tuple[str, int]):
    facts = views[view]
    assert facts["images"] == 4 * 12 + 2
    assert facts["broken"] == 0
    assert facts["blurred"] == 0
    assert facts["narrowest_tile"] >= 48
    assert facts["drawings"] == 8


@every_view
def test_page_asks_for_nothing_and_runs_nothing(views: dict[tuple[str, int], dict[str, Any]], view: tuple[str, int]):
    facts = views[view]
    assert facts["requests"] == []
    assert facts["title"].startswith("Unlearning report: ")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG) of "rgb(r, g, b)"."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(
    runs: Path, views: dict[tuple[str, int], dict[str, Any]], tmp_path: Path, scheme: str
):
    if scheme == "light":
        facts = views["item", WIDE]
    else:
        facts = look(runs, tmp_path, [("item", WIDE)], "--blink-settings=preferredColorScheme=0")[0]
    assert (luminance(facts["background"]) < 0.1) == (scheme == "dark")
    assert contrast(facts["background"], facts["ink"]) > 7
    assert len(facts["chart_text"]) > 50
    assert min(contrast(facts["background"], fill) for fill in facts["chart_text"]) > 4.5
