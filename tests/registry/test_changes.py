"""Differences between two sides, on tables made by hand."""

from types import SimpleNamespace
from typing import Any

import pandas as pd

from convoy.registry import changes
from convoy.registry.collecting import Side


def _samples(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "split", "target"])


def _side(samples: pd.DataFrame | None = None, complete: bool = True, **more: Any) -> Side:
    named: dict[str, Any] = {"origin": {}, "predictions": None, **more}
    run = SimpleNamespace(info=None, data=None)
    return Side("run", run, {}, {}, samples=samples, complete=complete, **named)


def _predictions(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["id", "target", "prediction", "confidence"])
    return table.assign(split="test", path=table["id"] + ".png", loss=1.0 - table["confidence"])


def test_added_removed_relabelled_and_moved_samples_are_told_apart() -> None:
    before = _samples(("1", "train", "cat"), ("2", "train", "cat"), ("3", "val", "dog"), ("4", "test", "dog"))
    after = _samples(
        ("1", "train", "cat"), ("2", "train", "dog"), ("3", "test", "dog"), ("5", "train", "cat")
    )
    assert changes.of_samples(_side(before), _side(after)) == {
        "complete": True,
        "added": {"count": 1, "first": [{"id": "5", "split": "train", "target": "cat"}]},
        "removed": {"count": 1, "first": [{"id": "4", "split": "test", "target": "dog"}]},
        "relabelled": {"count": 1, "first": [{"id": "2", "from": "cat", "to": "dog"}]},
        "moved": {"count": 1, "first": [{"id": "3", "from": "val", "to": "test"}]},
    }


def test_where_training_samples_are_not_known_none_of_them_is_called_added() -> None:
    whole = _samples(("1", "train", "cat"), ("2", "test", "cat"))
    part = _samples(("2", "test", "cat"))
    found = changes.of_samples(_side(part, complete=False), _side(whole))
    assert found is not None
    assert (found["complete"], found["added"]["count"]) == (False, 0)
    assert changes.of_samples(_side(None), _side(whole)) is None


def test_only_the_first_are_listed_and_all_are_counted() -> None:
    many = _samples(*((f"{n:03}", "train", "cat") for n in range(100)))
    found = changes.of_samples(_side(many.head(1)), _side(many))
    assert found is not None
    assert found["added"]["count"] == 99
    assert len(found["added"]["first"]) == changes.SHOWN


def test_samples_of_other_labels_are_not_compared() -> None:
    first = _side(predictions=_predictions(("1", "cat", "cat", 0.9), ("2", "cat", "cat", 0.9)))
    other = _side(predictions=_predictions(("1", "cat", "dog", 0.8), ("2", "dog", "dog", 0.9)))
    found = changes.of_answers(first, other)
    assert found is not None
    assert found["samples"] == 1
    assert found["metrics"]["test_accuracy"]["values"] == [1.0, 0.0]


def test_what_was_lost_comes_before_what_was_won_the_surest_mistakes_first() -> None:
    first = _side(
        predictions=_predictions(
            ("1", "cat", "cat", 0.9),
            ("2", "cat", "cat", 0.9),
            ("3", "cat", "dog", 0.7),
            ("4", "cat", "cat", 0.6),
        )
    )
    other = _side(
        predictions=_predictions(
            ("1", "cat", "dog", 0.6),
            ("2", "cat", "dog", 0.95),
            ("3", "cat", "cat", 0.5),
            ("4", "cat", "cat", 1.0),
        )
    )
    rows = changes.sides(first, other)
    assert [(row["id"], row["change"]) for row in rows] == [("2", "lost"), ("1", "lost"), ("3", "won")]
    assert rows[0]["confidence"] == [0.9, 0.95]
    assert changes.sides(first, _side()) == []


def test_commits_that_are_no_commits_are_not_given_to_git() -> None:
    first, other = (_side(origin={"commit": value}) for value in ("--output=x", "a" * 40))
    assert changes.of_code(None, first, other) is None


def test_a_commit_that_this_clone_lacks_is_said_to_be_unknown(tmp_path: Any) -> None:
    first, other = (_side(origin={"commit": letter * 40}) for letter in "ab")
    found = changes.of_code(tmp_path, first, other)
    assert found == {"from": "a" * 40, "to": "b" * 40, "commits": None, "files": None}
