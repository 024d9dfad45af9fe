import base64
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from convoy.evaluation import report
from convoy.evaluation.panels import MOST_CLASSES
from tests.evaluation import reporting
from tests.evaluation.reporting import Page

ANIMALS = ["cat", "dog", "狗"]
SAID = [(0, 0), (0, 1), (1, 2), (0, 1), (1, 1), (2, 2), (2, 0), (0, 0)]
EVERY_SECTION = list(report._SECTIONS)
NASTY = "<script>alert(1)</script>"
BREAKOUT = '"><img src=x onerror=alert(1)>'


def render(classes: list[str] = ANIMALS, said: list[tuple[int, int]] = SAID, **changed: Any) -> Page:
    return Page(report.render(reporting.inputs(classes, said, **changed)))


def pixels(attributes: dict[str, str]) -> NDArray[np.uint8]:
    code = attributes["src"].partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(code))) as image:
        return np.asarray(image)


def test_the_page_needs_nothing_from_outside_and_runs_nothing() -> None:
    page = render()
    assert {name for name, _ in page.tags} & {"script", "link", "iframe", "object", "form"} == set()
    assert all(attributes["src"].startswith("data:image/") for attributes in page.all("img"))
    assert all(attributes["href"].startswith("#") for attributes in page.all("a"))
    html = page.html.replace("url(data:font/woff;base64,", "")  # the page's own Chinese letters
    for word in ("http:", "https:", "url(", "@import", "xlink"):
        assert word not in html


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert render().html == render().html


def test_a_page_with_everything_has_every_section_and_a_link_to_each() -> None:
    page = render()
    assert page.sections == EVERY_SECTION
    assert [attributes["href"] for attributes in page.all("a")] == [f"#{name}" for name in EVERY_SECTION]
    assert "nan" not in page.text().lower().split()


def test_what_comes_from_data_is_text_and_never_markup() -> None:
    classes = [NASTY, BREAKOUT, "a & b", "{{ 7 * 7 }}"]
    said = [(0, 1), (1, 0), (1, 2), (2, 3), (3, 3), (0, 0)]
    made = reporting.inputs(classes, said)
    page = render(
        classes,
        said,
        title=NASTY,
        predictions=made.predictions.assign(path=f"{NASTY}/{BREAKOUT}"),
        slices=made.slices.assign(slice=NASTY) if made.slices is not None else None,
        robustness=made.robustness.assign(corruption=BREAKOUT) if made.robustness is not None else None,
        facts={NASTY: BREAKOUT},
    )
    assert "script" not in {name for name, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert all(attributes["src"].startswith("data:") for attributes in page.all("img"))
    for name in classes:
        assert page.text("classes").count(name) >= 1
        assert page.text("matrix").count(name) == 2
    assert NASTY in page.text("slices")
    assert f"{NASTY} {BREAKOUT}" in page.text("facts")


def test_the_head_says_what_is_confused_most_often() -> None:
    head = render().text("")
    assert "50.0 %" in head
    assert "95 % interval 40.0 % – 60.0 %" in head
    assert "Mistakes 4 of 8 test pictures, 3 classes" in head
    assert "Most often it takes cat for dog (2×)." in head
    assert "brightness: darkest quarter : 20.0 % of 20 pictures" in head


def test_each_confusion_shows_the_pictures_that_were_confused_the_worst_first() -> None:
    page = render()
    shown = [a for a in page.all("img") if a["alt"] == "cat taken for dog"][:2]
    assert [int(pixels(attributes)[0, 0]) for attributes in shown] == [3, 1]
    assert "cat taken for dog 2 of 4 (50.0 %), reverse 0" in page.text("pairs")


def test_the_worst_mistakes_come_with_the_heat_of_the_wrong_answer() -> None:
    asked: list[NDArray[np.int64]] = []

    def heatmap(pictures: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        asked.append(classes)
        return np.stack(
            [np.full(pictures.shape[1:3], number / 4, np.float32) for number in range(len(classes))]
        )

    page = render(heatmap=heatmap, mistakes=3)
    assert [classes.tolist() for classes in asked] == [[0, 1, 2]]
    heat = [pixels(a) for a in page.all("img") if a["alt"] == "where the network looked"]
    assert [image.shape for image in heat] == [(12, 12, 3)] * 3
    assert heat[0][0, 0].tolist() == [4, 4, 4]  # cold: the picture, of value 6, grey and dimmed
    assert heat[2][0, 0, 0] > heat[1][0, 0, 0] > 20
    words = page.text("mistakes")
    assert "The worst 3 of 4" in words
    assert (
        words.index("狗 taken for cat") < words.index("cat taken for dog") < words.index("dog taken for 狗")
    )


def test_without_heat_maps_the_pictures_stand_alone() -> None:
    page = render(heatmap=None)
    assert len([a for a in page.all("img") if a["alt"] == "where the network looked"]) == 0
    assert "HiResCAM" not in page.text()


def test_a_model_without_mistakes_says_so() -> None:
    page = render(said=[(0, 0), (1, 1), (2, 2)])
    assert "No mistakes on the 3 test pictures." in page.text("")
    assert {"pairs", "mistakes"}.isdisjoint(page.sections)
    assert page.all("img") == []
    assert [a["class"] for a in page.all("td") if "style" in a] == ["hit"] * 3


def test_single_mistakes_are_not_called_frequent() -> None:
    head = render(said=[(0, 1), (1, 2), (2, 2)]).text("")
    assert "Most often" not in head
    assert "No class was taken for the same other one twice." in head


def test_two_classes_are_compared_both_ways() -> None:
    page = render(["cats", "dogs"], [(0, 1), (0, 1), (1, 0), (0, 0), (1, 1)])
    assert "cats taken for dogs 2 of 3 (66.7 %), reverse 1" in page.text("pairs")
    assert "dogs taken for cats 1 of 2 (50.0 %), reverse 2" in page.text("pairs")


def many(classes: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Class n is taken for its neighbour in n of 50 cases."""
    said = [(n, (n + 1) % classes if turn < n else n) for n in range(classes) for turn in range(50)]
    return [f"kind {n}" for n in range(classes)], said


def test_of_many_classes_the_worst_are_shown_and_the_page_says_how_many_there_are() -> None:
    classes, said = many(40)
    page = render(classes, [*said, (39, 5), (39, 5)])
    assert page.rows["classes"] == 1 + MOST_CLASSES + 1  # head and average
    assert "The worst 30 of 40" in page.text("classes")
    assert "kind 39" in page.text("classes")
    assert "kind 3 " not in page.text("classes")
    assert "Of 40 classes, the 20 with the most mistakes" in page.text("matrix")
    assert page.rows["matrix"] == 21
    cells = [a for a in page.all("td") if "taken for another class" in a.get("title", "")]
    assert [a["title"] for a in cells] == ["kind 39 taken for another class: 2 of 52"]


def test_thirty_classes_are_all_in_the_matrix() -> None:
    page = render(*many(30))
    assert page.rows["matrix"] == 31
    assert "with the most mistakes" not in page.text("matrix")


def test_a_thousand_classes_with_large_noisy_photos_stay_below_five_megabytes() -> None:
    def noise(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.random.default_rng(0).integers(0, 256, (len(rows), 224, 224, 3), dtype=np.uint8)

    classes = [f"a species with a long name {n}" for n in range(1000)]
    said = [(n % 1000, (n * 7) % 1000) for n in range(3000)]
    page = render(classes, said, images=noise, mistakes=100)
    assert len(page.html.encode()) < 5_000_000
    assert page.rows["classes"] == 32


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_coloured_pictures_arrive_as_they_are(channels: int) -> None:
    page = render(images=reporting.images(side=9, channels=channels), heatmap=None)
    first = pixels(next(a for a in page.all("img") if a["alt"] == "狗 taken for cat"))
    assert first.shape == ((9, 9) if channels == 1 else (9, 9, 3))
    assert (first == 6).all()


def test_sections_without_their_table_are_left_out() -> None:
    metrics = {"test": {"macro_f1": 0.5, "samples": len(SAID)}}
    bare = dict.fromkeys(
        (
            "per_class",
            "slices",
            "robustness",
            "reliability",
            "calibration",
            "history",
            "heatmap",
            "best_epoch",
        )
    )
    page = render(metrics=metrics, facts={}, **bare)
    assert page.sections == ["pairs", "mistakes", "matrix", "metrics"]
    assert "Accuracy" not in page.text("")


def test_empty_tables_are_as_good_as_none() -> None:
    made = reporting.inputs(ANIMALS, SAID)
    tables = ("per_class", "slices", "robustness", "reliability", "history")
    empty = {name: getattr(made, name).iloc[:0] for name in tables}
    page = render(calibration={"method": "none", "temperature": 1.0, "thresholds": {}}, **empty)
    assert page.sections == ["pairs", "mistakes", "matrix", "baseline", "metrics", "facts"]


def test_slices_stand_worst_first_and_those_wholly_below_the_rest_are_marked() -> None:
    page = render()
    words = page.text("slices")
    assert words.index("brightness: darkest quarter") < words.index("width: up to 64")
    marks = [a["class"] for a in page.all("div") if a.get("class", "").startswith("range")]
    assert marks == ["range below", "range"]


def test_of_many_slices_the_worst_are_shown() -> None:
    accuracy = np.linspace(1.0, 0.2, 50)
    table = pd.DataFrame(
        {
            "slice": [f"slice {n}" for n in range(50)],
            "samples": 20,
            "accuracy": accuracy,
            "low": accuracy - 0.1,
        }
    )
    page = render(slices=table.assign(high=np.minimum(1.0, accuracy + 0.1), difference=accuracy - 0.5))
    assert page.rows["slices"] == 31
    assert "slice 49" in page.text("slices")
    assert "slice 0 " not in page.text("slices")
    assert "The worst 30 of 50" in page.text("slices")


def test_a_class_that_is_called_like_an_average_is_a_class() -> None:
    classes = ["macro average", "dog"]
    table = reporting.per_class(classes, [(0, 1), (1, 1)]).iloc[:2]
    page = render(classes, [(0, 1), (1, 1)], per_class=table)
    assert "macro average 1 0.0" in page.text("classes")


def test_calibration_is_drawn_before_and_after_only_where_a_temperature_was_fitted() -> None:
    fitted = render()
    assert "Before scaling" in fitted.text("calibration")
    assert "it was too sure" in fitted.text("calibration")
    plain = render(calibration={"method": "none", "temperature": 1.0, "thresholds": {}})
    assert "Before scaling" not in plain.text("calibration")
    assert "Temperature" not in plain.text("calibration")


def test_the_most_harmful_damage_is_first() -> None:
    words = render().text("robustness")
    assert "Worst: noise at strength 3, 30.0 %" in words
    assert words.index("noise at 3: noise of 3") < words.index("blur at 3: blur of 3")
    charts = [a["aria-label"] for a in render().all("svg") if "strength" in a["aria-label"]]
    assert charts == ["accuracy by strength of noise", "accuracy by strength of blur"]


def test_averaging_over_augmented_copies_stands_beside_the_plain_figures() -> None:
    made = reporting.inputs(ANIMALS, SAID)
    assert "augmented copies" not in render().text("metrics")
    page = render(metrics={**made.metrics, "tta": {"accuracy": 0.625}})
    assert "augmented copies" in page.text("metrics")
    assert "0.6250" in page.text("metrics")


def test_a_baseline_of_the_commonest_class_alone_is_told_once() -> None:
    made = reporting.inputs(ANIMALS, SAID)
    alone = {**made.metrics["baseline"], "name": "majority", "accuracy": 0.1}
    page = render(metrics={**made.metrics, "baseline": alone})
    assert page.rows["baseline"] == 3
    assert page.text("baseline").count("always the commonest class") == 1
