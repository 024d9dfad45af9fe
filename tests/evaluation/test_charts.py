import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convoy.evaluation.charts import SMALL, Line, chart, padded, ticks

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


@given(FINITE, st.floats(1e-6, 1e6))
def test_ticks_are_few_evenly_spaced_and_inside_the_axis(low: float, span: float) -> None:
    found = ticks(low, low + span)
    room = 1e-6 * (abs(low) + span)
    assert len(found) <= 6
    assert all(low - room <= value <= low + span + room for value in found)
    steps = {round((b - a) / span, 3) for a, b in pairwise(found)}
    assert len(steps) <= 1 or max(steps) - min(steps) <= 0.002


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.0, 1.0), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ((0.93, 0.987), [0.93, 0.94, 0.95, 0.96, 0.97, 0.98]),
        ((0.0, 12.0), [0, 5, 10]),
    ],
)
def test_ticks_are_round(ends: tuple[float, float], expected: list[float]) -> None:
    assert ticks(*ends) == expected


@given(st.lists(FINITE, min_size=1, max_size=5))
def test_an_axis_holds_its_values_and_is_never_empty(values: list[float]) -> None:
    low, high = padded(values)
    assert low <= min(values) <= max(values) <= high
    assert low < high


def test_an_axis_of_shares_does_not_leave_them() -> None:
    assert padded([0.0, 1.0], floor=0.0, ceiling=1.0) == (0.0, 1.0)
    low, high = padded([1.0, 1.0], floor=0.0, ceiling=1.0)
    assert (low < 0.99, high) == (True, 1.0)


def test_points_lie_where_their_values_say_and_bands_around_them() -> None:
    line = Line([(0.0, 0.0), (1.0, 1.0)], band=[(0.0, 0.5), (0.5, 1.0)])
    drawn = chart([line], x=(0.0, 1.0), y=(0.0, 1.0), x_label="x", title="t", size=SMALL)
    root = ET.fromstring(str(drawn))
    kinds = {element.get("class", "").split()[0]: element for element in root if element.get("class")}
    dots = [(float(e.get("cx", "")), float(e.get("cy", ""))) for e in root if e.tag == "circle"]
    (left, bottom), (right, top) = dots
    assert left < right < SMALL[0]
    assert top < bottom < SMALL[1]
    middle = pytest.approx((top + bottom) / 2, abs=0.1)
    corners = [tuple(map(float, place.split(","))) for place in kinds["band"].get("points", "").split()]
    assert corners == [(left, middle), (right, top), (right, middle), (left, bottom)]


def test_labels_are_escaped() -> None:
    drawn = chart([], x=(0.0, 1.0), y=(0.0, 1.0), x_label="<b>", title='"><script>')
    root = ET.fromstring(str(drawn))
    assert root.get("aria-label") == '"><script>'
    assert [e.text for e in root if e.tag == "text"][-1] == "<b>"


def test_tick_labels_have_the_decimals_that_they_need() -> None:
    drawn = chart([], x=(0.0, 1.0), y=(0.98, 1.0), x_label="x", title="t", percent=True, x_ticks=[0, 1])
    texts = [e.text for e in ET.fromstring(str(drawn)) if e.tag == "text"]
    assert texts == ["98.0 %", "98.5 %", "99.0 %", "99.5 %", "100.0 %", "0", "1", "x"]


def test_points_that_are_not_joined_have_their_bars_and_no_curve() -> None:
    line = Line([(0.2, 0.5), (0.8, 0.5)], bars=[(0.25, 0.75), (0.5, 1.0)], sizes=[2, 5], joined=False)
    root = ET.fromstring(str(chart([line], x=(0.0, 1.0), y=(0.0, 1.0), x_label="x", title="t")))
    assert [e.tag for e in root if e.tag == "polyline"] == []
    assert [e.get("r") for e in root if e.tag == "circle"] == ["2.0", "5.0"]
    lengths = [float(e.get("y1", "")) - float(e.get("y2", "")) for e in root if e.get("class") == "whisker"]
    assert lengths == [pytest.approx(lengths[0], abs=0.2)] * 2
    assert lengths[0] > 50
