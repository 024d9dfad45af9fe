import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convoy.evaluation.findings import Findings
from tests.evaluation.reporting import predictions

CLASSES = ["a", "b", "c", "d"]
INDEX = st.integers(0, len(CLASSES) - 1)


@given(st.lists(st.tuples(INDEX, INDEX), min_size=1, max_size=40))
def test_pairs_count_what_was_confused(said: list[tuple[int, int]]) -> None:
    found = Findings(predictions(CLASSES, said), CLASSES)
    pairs = found.pairs(100, 2)
    wrong = [pair for pair in said if pair[0] != pair[1]]
    assert {(p.target, p.prediction): p.count for p in pairs} == {pair: wrong.count(pair) for pair in wrong}
    assert [p.count for p in pairs] == sorted((p.count for p in pairs), reverse=True)
    for pair in pairs:
        assert pair.support == sum(target == pair.target for target, _ in said)
        assert pair.reverse == wrong.count((pair.prediction, pair.target))
        assert [said[row] for row in pair.rows] == [(pair.target, pair.prediction)] * min(2, pair.count)
        assert list(pair.rows) == sorted(pair.rows, reverse=True)  # later rows have the greater loss


@given(st.lists(st.tuples(INDEX, INDEX), min_size=1, max_size=40), st.integers(1, 4))
def test_a_part_of_the_matrix_accounts_for_every_sample_of_its_rows(
    said: list[tuple[int, int]], most: int
) -> None:
    found = Findings(predictions(CLASSES, said), CLASSES).matrix(most)
    assert found.partial == (most < len(CLASSES))
    assert (found.counts.sum(axis=1) + found.elsewhere == found.support).all()
    whole = np.zeros((4, 4), int)
    np.add.at(whole, tuple(np.transpose(said)), 1)
    assert (found.counts == whole[np.ix_(found.classes, found.classes)]).all()


def test_the_part_is_that_with_the_most_mistakes() -> None:
    found = Findings(predictions(CLASSES, [(3, 1), (3, 1), (0, 0), (2, 0)]), CLASSES).matrix(2)
    assert found.classes.tolist() == [1, 3]


def test_a_class_is_told_with_what_it_was_most_often_taken_for() -> None:
    found = Findings(predictions(CLASSES, [(0, 1), (0, 2), (0, 2), (1, 1), (3, 0)]), CLASSES)
    assert found.taken_for() == {0: (2, 2), 3: (0, 1)}
