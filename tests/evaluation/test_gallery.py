import numpy as np

from convoy.evaluation.gallery import Sample, render_gallery
from tests.evaluation.reporting import Page

GREY = np.full((8, 8, 1), 100, np.uint8)
PHOTO = np.full((300, 200, 3), 100, np.uint8)


def test_samples_stand_in_groups_in_the_order_of_their_first() -> None:
    page = Page(
        render_gallery(
            "A against B",
            [
                Sample(GREY, "three", detail="A: 3, B: 8", group="only A is right"),
                Sample(PHOTO, "four", group="only B is right"),
                Sample(GREY, "five", source="photos/deep/five.png", group="only A is right"),
            ],
            subtitle="3 samples",
        )
    )
    words = page.text()
    order = ["A against B", "3 samples", "only A is right", "2 pictures", "three", "A: 3, B: 8", "five",
             "five.png", "only B is right", "1 picture", "four"]  # fmt: skip
    places = [words.index(part) for part in order]
    assert places == sorted(places)
    assert [(a["width"], a["height"], a.get("class")) for a in page.all("img")] == [
        ("8", "8", "pixels"), ("8", "8", "pixels"), ("117", "176", None),
    ]  # fmt: skip


def test_what_comes_from_data_is_escaped_and_nothing_is_fetched() -> None:
    nasty = "<script>alert(1)</script>"
    page = Page(render_gallery(nasty, [Sample(GREY, nasty, nasty, nasty, group=nasty)], subtitle=nasty))
    assert "script" not in {name for name, _ in page.tags}
    assert page.text().count(nasty) >= 5
    assert "http" not in page.html


def test_a_sample_whose_picture_is_gone_keeps_its_caption() -> None:
    page = Page(render_gallery("t", [Sample(None, "gone")]))
    assert page.all("img") == []
    assert "gone" in page.text()


def test_nothing_to_show_is_said() -> None:
    assert "There is nothing to show." in Page(render_gallery("t", [])).text()
