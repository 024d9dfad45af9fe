import pytest

from convoy.evaluation import lr_page
from convoy.training.lr_find import RangeTest
from tests.evaluation.reporting import Page


@pytest.mark.parametrize("suggested", [0.01, None])
def test_the_page_shows_the_curve_and_fetches_nothing(suggested: float | None) -> None:
    lrs = [10 ** (-4 + n / 10) for n in range(30)]
    losses = [1.0 - n / 40 for n in range(30)]
    text = lr_page.render(RangeTest(lrs, losses, losses, suggested, diverged=True), "A test of rates")
    page = Page(text)  # whole and well nested
    assert not any(word in text for word in ("http:", "https:", "url(", "@import"))
    assert len(page.all("svg")) == 1
    assert ("rate of 1.00e-02" in page.text()) == (suggested is not None)
    assert ("The loss fell at no rate" in page.text()) == (suggested is None)
    assert len(lr_page.rows(RangeTest(lrs, losses, losses, None, diverged=False))) == 30
