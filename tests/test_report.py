"""The report: what it says for each kind of run, what it refuses, and that it escapes everything."""

import base64
import io
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from ganforget.errors import InputError
from ganforget.files import write_json
from ganforget.report import write_report
from ganforget.report.curves import draw_curves
from ganforget.report.goal import read_goals
from ganforget.report.verdict import glances, verdict
from report_runs import AFTER, BEFORE, CLASS_AFTER, COUNT, TILE, results, write_run, write_words

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %} {0.x} $\\frac$ &\u202e'


class Page(HTMLParser):
    """Tags with their attributes, ids, and the text outside of pictures and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.silent += tag in ("style", "svg")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("style", "svg")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(folder: Path, task: str = "item", **changes: Any) -> Page:
    """The page of a run without curves, scores and pictures."""
    return Page(write_report(write_words(folder, task, **changes)).read_text(encoding="utf-8"))


def picture_run(folder: Path, task: str = "item", **changes: Any) -> Path:
    """A run with pictures and without curves and scores, which take longest to draw."""
    run = write_run(folder, task, **changes)
    (run / "log.jsonl").unlink()
    (run / "scores.json").unlink()
    return run


def rows_of(run: Path) -> dict[str, list[str]]:
    """The table of measures as the page shows it: key to cells."""
    html = write_report(run).read_text(encoding="utf-8")
    table = html[html.index('class="measures"') : html.index("</table>")]
    rows = re.findall(r"<code>(\w+)</code>.*?</th>(.*?)</tr>", table, re.DOTALL)
    return {key: re.findall(r'data-label="[^"]*">([^<]*)<', cells) for key, cells in rows}


@pytest.fixture(scope="module", params=["item", "class"])
def html(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = write_run(tmp_path_factory.mktemp("run"), request.param)
    return write_report(run).read_text(encoding="utf-8")


# ----------------------------------------------------------------------------
# The page as a whole.


def test_report_stands_in_the_run_folder(tmp_path: Path):
    run = write_run(tmp_path)
    assert write_report(run) == run / "report.html"
    assert [file.name for file in run.glob(".report*")] == []


def test_page_is_self_contained(html: str):
    found = Page(html)
    for _, attributes in found.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    assert not {tag for tag, _ in found.tags} & {"script", "iframe", "object", "embed", "form", "base"}
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    policy = [meta["content"] for meta in found.all("meta") if meta.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_page_is_accessible(html: str):
    found = Page(html)
    assert found.all("html")[0]["lang"] == "en"
    assert all(image.get("alt") for image in found.all("img"))
    assert all(cell.get("scope") for cell in found.all("th"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(section["aria-labelledby"] in ids for section in found.all("section"))
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    charts = [div for div in found.all("div") if div.get("role") == "img"]
    assert len(charts) == len(found.all("svg")) == 8
    assert all(chart["aria-label"] for chart in charts)


def test_the_page_never_claims_that_anything_is_forgotten(html: str):
    assert "forgotten" not in re.sub(r"base64,[\w+/=]+", "", html).lower()


def test_drawings_are_small_and_in_the_colours_of_the_page(html: str):
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert all(len(drawing) < 20_000 for drawing in drawings)
    assert not re.search(r"#[0-9a-f]{6}\b", "".join(drawings))
    paints = {name for drawing in drawings for name in re.findall(r"var\((--\w+)\)", drawing)}
    assert all(html.count(f"{name}: #") == 2 for name in paints), "each has a light and a dark value"


def test_same_files_give_the_same_bytes(tmp_path: Path):
    first = write_report(write_run(tmp_path / "run")).read_bytes()
    assert write_report(tmp_path / "run").read_bytes() == first


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path):
    before = dict(matplotlib.rcParams)
    write_report(write_run(tmp_path))
    assert dict(matplotlib.rcParams) == before


# ----------------------------------------------------------------------------
# The verdict.


def test_item_reached(tmp_path: Path):
    text = page(tmp_path).text
    assert (
        "Asked to unlearn 64 images of digits, the run reached the separated destination "
        "(auc_lu > 0.8 and substitution ≤ 0.25) after 120 of at most 400 steps." in text
    )
    assert "the paper’s destination (auc_lu > 0.8) is met too" in text
    assert "trains this network on 5,090 images" in text


def test_class_reached(tmp_path: Path):
    text = page(tmp_path, "class").text
    assert "Asked to unlearn class 7 of digits, the run reached the separated destination (fd_u > 64.2)" in text
    assert "the paper’s destination" not in text


def test_several_classes_are_all_named_and_marked(tmp_path: Path):
    found = Page(write_report(picture_run(tmp_path, "class", classes=[2, 5, 7])).read_text())
    assert "classes 2, 5 and 7" in found.text
    assert sum(item.get("class") == "marked" for item in found.all("li")) == 6
    assert sum(item.get("class") == "marker" for item in found.all("i")) == 6


def test_not_reached_is_said_at_the_top(tmp_path: Path):
    text = page(tmp_path, reached=False, steps=400).text
    assert text.index("did not reach the separated destination") < text.index("Before and after")
    assert "Destination not reached" in text
    assert "Destination reached" not in text


def test_evaluation_that_contradicts_the_stop_check_is_told(tmp_path: Path):
    text = page(tmp_path, after=AFTER | {"substitution": 0.29}).text
    assert "saw substitution ≤ 0.25; the full evaluation afterwards measures 0.290" in text


@pytest.mark.parametrize(("share", "words"), [(1.0, "is not met"), (0.1, "is met too")])
def test_paper_destination_is_held_against_ours(tmp_path: Path, share: float, words: str):
    after = AFTER | {"substitution": share}
    text = page(tmp_path, destination="paper", destination_rule="auc_lu > 0.8", after=after).text
    assert "reached the paper’s destination (auc_lu > 0.8)" in text
    assert f"the separated destination (auc_lu > 0.8 and substitution ≤ 0.25) {words}" in text


# ----------------------------------------------------------------------------
# What the scores betray.


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.183, "with probability 0.82"),
        (0.66, "still score like training images: auc_ut is 0.66"),
        (0.471, "favour neither"),
        (None, "was not measured"),
    ],
)
def test_leak(tmp_path: Path, value: float | None, words: str):
    text = page(tmp_path, after=AFTER | {"auc_ut": value}).text
    assert words in text
    assert "about 0.5 would be expected" in text


def test_leak_takes_the_retrained_gan_where_there_is_one(tmp_path: Path):
    text = page(tmp_path, retrained=BEFORE | {"auc_ut": 0.527}).text
    assert "0.53 was measured" in text
    assert "Nothing here was compared with a retrained GAN" not in text


# ----------------------------------------------------------------------------
# The table of measures.


def test_measures_before_after_and_sham(tmp_path: Path):
    rows = rows_of(write_words(tmp_path))
    assert rows["auc_lu"] == ["0.512", "0.853", "0.498"]
    assert rows["rec_u"] == ["0.0041", "0.0187", "—"]
    assert rows["r"] == ["—", "1.20", "0.97"]
    assert not {"fd_u", "class_recall", "class_diversity"} & rows.keys()


def test_distances_carry_their_extractor_and_bounds_the_destination(tmp_path: Path):
    text = page(tmp_path).text
    assert "Distance from the retain images, FD (digits-classifier)" in text
    assert "destination > 0.8" in text
    assert "destination ≤ 0.25" in text
    assert "FD (digits-classifier) is not FID" in text
    assert "is not FID" not in page(tmp_path, fd_name="FID").text


def test_class_has_measures_of_its_own(tmp_path: Path):
    rows = rows_of(write_words(tmp_path, "class", sham=None, after=CLASS_AFTER))
    assert rows["class_recall"] == ["0.978", "0.012"]
    assert rows["fd_u"] == ["11.30", "96.40"]
    text = page(tmp_path, "class", sham=None).text
    assert "destination > 64.2" in text
    assert "There is no sham run beside it" in text


@pytest.mark.parametrize(
    ("before", "floor", "after", "r"),
    [(8.0, 3.0, 10.0, "1.25"), (2.0, 4.0, 6.0, "1.50"), (2.0, None, 3.0, "1.50"), (0.0, 0.0, 1.0, "—")],
)
def test_ratio_is_to_the_larger_of_before_and_floor(
    tmp_path: Path, before: float, floor: float | None, after: float, r: str
):
    start, end = BEFORE | {"fd_l": before, "fd_floor": floor}, AFTER | {"fd_l": after}
    assert rows_of(write_words(tmp_path, before=start, after=end))["r"][1] == r


def test_run_without_data_shows_dashes(tmp_path: Path):
    before = dict.fromkeys(BEFORE) | {"substitution": 1.0}
    after = before | {"substitution": 0.2}
    run = write_words(tmp_path, mode="zero-shot", before=before, after=after, sham=None, membership="unverified")
    scores = {moment: {"forget": [0.1, 0.2], "generated": [0.0]} for moment in ("before", "after")}
    write_json(run / "scores.json", scores)
    rows = rows_of(run)
    assert rows.pop("substitution") == ["1.000", "0.200"]
    assert set(map(tuple, rows.values())) == {("—", "—")}
    text = Page((run / "report.html").read_text()).text
    assert "nobody checked that these images were trained on" in text
    assert "The grey outline repeats the forget images" in text


def test_copies_are_a_warning(tmp_path: Path):
    words = "There are copies of forget images outside the forget set"
    assert words not in page(tmp_path).text
    assert words in page(tmp_path, duplicates={"retain_exact": 0, "retain_near": 1}).text


def test_bare_results_are_enough(tmp_path: Path):
    bare = {"schema_version": 1, "task": "item", "mode": "few-shot", "reached": True, "steps": 3}
    write_json(tmp_path / "results.json", bare | {"before": {}})
    found = Page(write_report(tmp_path).read_text())
    assert "the run reached its destination after 3 steps." in found.text
    assert found.all("img") == []
    for words in ("no curve", "no scores", "no such images", "no samples"):
        assert words in found.text


# ----------------------------------------------------------------------------
# Curves.

GOALS = read_goals("auc_lu > 0.8 and substitution <= 0.25", 64.2)


def test_goals_are_read_from_the_rule():
    assert [(goal.key, goal.sign, goal.bound) for goal in GOALS.values()] == [
        ("auc_lu", ">", 0.8),
        ("substitution", "≤", 0.25),
        ("fd_u", ">", 64.2),
    ]
    assert not GOALS["auc_lu"].met(0.8)
    assert GOALS["substitution"].met(0.25)
    assert read_goals(None) == {}


@pytest.mark.parametrize(
    "values",
    [(1.0, 0.001), (0.5, 0.5), (0.0, 0.0), (-3.0, 1e7), (1e-9, None, 2e-9), (None, 1.0, float("inf"), 2.0)],
    ids=str,
)
def test_curves_of_any_values_are_drawn(values: tuple[float | None, ...]):
    keys = ("auc_lu", "substitution", "fd_u", "d_learning", "lambda")
    log = [{"step": k} | dict.fromkeys(keys, value) for k, value in enumerate(values)]
    curves = draw_curves(log, GOALS, 1)
    assert len(curves) == len(keys)
    assert all("nan" not in curve.svg.lower() for curve in curves)


def test_curves_want_two_values():
    assert draw_curves([], GOALS, 1) == []
    assert draw_curves([{"step": 0, "auc_lu": 0.5}, {"step": 1}], GOALS, 1) == []


# ----------------------------------------------------------------------------
# Pictures.


def tiles_of(found: Page) -> list[np.ndarray]:
    sources = [image["src"] or "" for image in found.all("img") if re.search(r", \d+$", image["alt"] or "")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))) for uri in sources]


def test_tiles_stand_image_by_image(tmp_path: Path):
    tiles = tiles_of(Page(write_report(picture_run(tmp_path)).read_text()))
    assert len(tiles) == 4 * COUNT
    for row, name in enumerate(("forgotten", "inversion", "substitute", "now")):
        strip = np.asarray(Image.open(tmp_path / "images" / f"{name}.png"))
        for k in range(COUNT):
            np.testing.assert_array_equal(tiles[4 * k + row], strip[:, TILE * k : TILE * (k + 1)])


def test_it_says_how_many_of_the_images_are_shown(tmp_path: Path):
    run = picture_run(tmp_path)
    found = json.loads((run / "results.json").read_text())
    assert f"{COUNT} of the {found['n_forget']} images to forget are shown" in Page(write_report(run).read_text()).text
    write_json(run / "results.json", found | {"n_forget": COUNT})
    assert "Each image to forget stands with" in Page(write_report(run).read_text()).text


def test_rows_are_classes_only_for_conditional_models(tmp_path: Path):
    run = picture_run(tmp_path)
    assert "one row for each class" in Page(write_report(run).read_text()).text
    write_json(run / "model" / "config.json", {"G": {"c_dim": 0}})
    assert "one row for each class" not in Page(write_report(run).read_text()).text


def test_large_tiles_are_made_smaller(tmp_path: Path):
    run = picture_run(tmp_path, images={"tile": 512, "count": 1})
    for name in ("forgotten", "inversion", "substitute", "now"):
        Image.new("RGB", (512, 512)).save(run / "images" / f"{name}.png")
    assert [tile.shape for tile in tiles_of(Page(write_report(run).read_text()))] == [(256, 256, 3)] * 4


# ----------------------------------------------------------------------------
# Hostile text.


def test_everything_is_escaped(tmp_path: Path):
    texts = ("mode", "substitute", "destination", "preset", "fake_label_rule", "membership", "latent")
    texts += ("extractor", "fd_name", "destination_rule")
    run = picture_run(tmp_path / "<b>run", **dict.fromkeys(texts, HOSTILE), warnings=[HOSTILE, 3, {"<i>": 1}])
    config = {"data": {"name": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}}, "options": {HOSTILE: HOSTILE}}
    config |= dict.fromkeys(("model", "model_hash", "commit", "started"), HOSTILE)
    write_json(run / "config.json", config | {"versions": {HOSTILE: HOSTILE}, "hardware": HOSTILE})
    write_json(run / "forget_set.json", {"hashes": [HOSTILE], "selection": {HOSTILE: HOSTILE}})
    calm = Page(write_report(picture_run(tmp_path / "calm")).read_text())
    found = Page(write_report(run).read_text(encoding="utf-8"))
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in calm.tags} | {"code"}
    assert len(found.all("img")) == len(calm.all("img"))
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in found.text
    assert "{{ 7*7 }}{% raw %} {0.x}" in found.text


def test_rows_are_called_by_the_classes_that_they_show(tmp_path: Path):
    """Of very many classes not all are shown."""
    run = picture_run(tmp_path, "class")
    content = json.loads((run / "results.json").read_text())
    rows = content["images"]["sample_rows"]
    labels = [*range(rows - 1), 500]
    content |= {"classes": [500], "images": content["images"] | {"sample_labels": labels}}
    write_json(run / "results.json", content)
    page = Page(write_report(run).read_text())
    (marker, *_) = [item for item in page.all("i") if item.get("class") == "marker"]
    assert str(marker["style"]).startswith(f"top: {100 * (rows - 1) / rows:.4f}%")
    assert " 500 " in f" {' '.join(page.text.split())} "


def test_class_labels_that_are_no_numbers_do_not_reach_a_style(tmp_path: Path):
    run = picture_run(tmp_path, "class")
    write_json(run / "results.json", results("class", classes=[HOSTILE, True, -3, 1e9]))
    assert not [item for item in Page(write_report(run).read_text()).all("i") if item.get("class") == "marker"]


# ----------------------------------------------------------------------------
# Bad input: one sentence each, and the old page stays.

DAMAGED = {
    "not JSON": ('{"schema_version": 1, "ta', "not valid JSON"),
    "a list": ("[]", "not the results file"),
    "of something else": ('{"hello": 1}', "not the results file"),
    "a later version": ('{"schema_version": 2}', "schema version 2; this ganforget reads version 1"),
    "a true version": ('{"schema_version": true}', "schema version True"),
    "no task": ('{"schema_version": 1}', "does not state 'task'"),
}

WRONG = {
    "steps": ("many", "a whole number"),
    "reached": ("yes", "true or false"),
    "before": ([], "an object"),
    "warnings": ("x" * 100, "a list"),
    "extractor": (3, "text"),
    "cost_kimg": (True, "a number"),
    "seconds": ({"total": "long"}, "a number"),
    "after": ({"auc_lu": "high"}, "a number"),
}


def refused(run: Path) -> str:
    (run / "report.html").write_text("old")
    with pytest.raises(InputError) as caught:
        write_report(run)
    assert (run / "report.html").read_text() == "old"
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_results(tmp_path: Path, case: str):
    text, words = DAMAGED[case]
    (tmp_path / "results.json").write_text(text)
    assert words in refused(tmp_path)


@pytest.mark.parametrize("field", WRONG)
def test_results_of_the_wrong_kind(tmp_path: Path, field: str):
    value, kind = WRONG[field]
    write_json(tmp_path / "results.json", results() | {field: value})
    message = refused(tmp_path)
    assert f"'{field}" in message
    assert f"expected {kind}" in message


def test_numbers_must_be_finite(tmp_path: Path):
    (tmp_path / "results.json").write_text(json.dumps(results(cost_kimg=float("nan"))))
    assert "expected a number" in refused(tmp_path)


def test_missing_results(tmp_path: Path):
    assert "There is no results file at" in refused(tmp_path)


def test_missing_folder(tmp_path: Path):
    with pytest.raises(InputError, match="There is no run folder at"):
        write_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("config.json", "{", "run configuration"),
        ("config.json", "[]", "not a JSON object"),
        ("forget_set.json", "3", "not a JSON object"),
        ("scores.json", '{"before": {"retain": ["a"]}}', "before.retain"),
        ("scores.json", '{"before": 3}', "expected an object"),
        ("log.jsonl", '{"step": 0}\nnonsense\n{"step": 2}\n', "log is damaged"),
        ("log.jsonl", "[1]\n", "states no step"),
        ("images/now.png", "nonsense", "cannot be read"),
        ("images/samples_after.png", "nonsense", "cannot be read"),
    ],
)
def test_other_damaged_files(tmp_path: Path, file: str, text: str, words: str):
    run = write_run(tmp_path)
    (run / file).write_text(text)
    assert words in refused(run)


def test_truncated_picture(tmp_path: Path):
    run = write_run(tmp_path)
    strip = run / "images" / "now.png"
    strip.write_bytes(strip.read_bytes()[:200])
    assert "it may be truncated" in refused(run)


def test_picture_of_another_size(tmp_path: Path):
    run = write_run(tmp_path)
    Image.new("L", (TILE, TILE)).save(run / "images" / "now.png")
    assert f"is 16x16 pixels, expected {TILE * COUNT}x16" in refused(run)


@pytest.mark.parametrize("tile", [0, -1, "big", True])
def test_impossible_picture_sizes(tmp_path: Path, tile: object):
    run = write_run(tmp_path)
    write_json(run / "results.json", results(images={"tile": tile, "count": 1}))
    assert "impossible picture sizes" in refused(run)


def test_log_cut_short_by_a_stop_is_read_up_to_there(tmp_path: Path):
    run = write_run(tmp_path)
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 125, "auc')
    assert len(Page(write_report(run).read_text()).all("svg")) == 8


def test_a_calibrated_run_is_shown_by_what_it_aims_at():
    calibrated = results() | {"destination": "calibrated", "destination_rule": "|auc_ut − 0.5| ≤ 0.1"}
    assert glances(calibrated, None)[0].key == "auc_ut"
    assert glances(results(), None)[0].key == "auc_lu"
    said = verdict(calibrated, "digits", {})
    assert "the calibrated destination (|auc_ut − 0.5| ≤ 0.1)" in said.sentence
    assert said.remarks == (), "nothing about destinations that it did not use"


def test_what_was_done_goes_by_the_destination(tmp_path: Path):
    low = page(tmp_path / "low").text
    assert "is taught to score forget images low;" in low
    alike = page(tmp_path / "alike", destination="calibrated", perturbation=0.75).text
    assert "first changed at random, as far as another training would, and then taught to" in alike
    assert "score forget images like images never trained on;" in alike


def test_the_line_among_the_scores_is_named_by_the_destination(tmp_path: Path):
    one = Page(write_report(write_run(tmp_path / "one")).read_text()).text
    assert "The dashed line is the fake label, the score that forget images are taught." in one
    each = Page(write_report(write_run(tmp_path / "each", destination="calibrated")).read_text()).text
    assert "The dashed line is the mean of the labels" in each
    assert "the fake label, the score that" not in each


def test_what_was_done_says_which_images_the_generator_gave_up(tmp_path: Path):
    rule = "the 33 of 64 images that the original made better than the median of 64 unseen ones"
    some = page(tmp_path / "some", n_substituted=33, substituted_rule=rule).text
    assert f"where it used to make a forget image: {rule}. The rest should stay" in some
    assert "where it used to make a forget image. The rest should stay" in page(tmp_path / "all").text
