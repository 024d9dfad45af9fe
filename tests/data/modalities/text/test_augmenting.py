import numpy as np
import pytest

from convoy.data import ragged
from convoy.data.modalities.text.augmenting import Policy
from convoy.errors import ConfigError

NAMES = {"word_dropout": "rate", "swap": "rate", "span_cut": "share", "unknown": "rate"}


def batch(count: int = 200) -> dict[str, np.ndarray]:
    """Texts of 1 to 12 tokens, all different ids within a text."""
    values, bounds = ragged.of([np.arange(2, 3 + n % 12) for n in range(count)], "<i4")
    return {"tokens": values, "tokens.offsets": bounds, "target": np.zeros(count, np.int64)}


def texts(found: dict[str, np.ndarray]) -> list[list[int]]:
    return [part.tolist() for part in np.split(found["tokens"], found["tokens.offsets"][1:-1])]


@pytest.mark.parametrize("name", NAMES)
def test_the_key_decides_and_every_text_keeps_a_token(name: str) -> None:
    policy = Policy([{"name": name, NAMES[name]: 0.5}])
    first, again, other = policy(batch(), 1), policy(batch(), 1), policy(batch(), 2)
    assert texts(first) == texts(again)
    assert texts(first) != texts(other)
    assert texts(first) != texts(batch())
    assert min(map(len, texts(first))) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_p_of_0_changes_nothing(name: str) -> None:
    assert texts(Policy([{"name": name, NAMES[name]: 0.9, "p": 0}])(batch(), 3)) == texts(batch())


def test_dropout_leaves_the_others_in_their_order() -> None:
    found = texts(Policy([{"name": "word_dropout", "rate": 0.4}])(batch(), 1))
    for before, after in zip(texts(batch()), found, strict=True):
        assert after == sorted(after)
        assert set(after) <= set(before)


def test_a_swap_keeps_all_tokens_and_moves_none_by_more_than_one_place() -> None:
    found = texts(Policy([{"name": "swap", "rate": 1.0}])(batch(), 1))
    for before, after in zip(texts(batch()), found, strict=True):
        assert sorted(after) == before
        assert all(abs(after.index(token) - place) <= 1 for place, token in enumerate(before))


def test_a_cut_takes_one_piece_of_its_length() -> None:
    found = texts(Policy([{"name": "span_cut", "share": 0.5}])(batch(), 1))
    for before, after in zip(texts(batch()), found, strict=True):
        gone = [token for token in before if token not in after]
        assert len(gone) == min(round(len(before) * 0.5), len(before) - 1)
        assert gone == list(range(gone[0], gone[0] + len(gone))) if gone else True


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"name": "word_dropuot"}, "did you mean 'word_dropout'"),
        ({"name": "swap", "share": 0.1}, "swap has no argument 'share'"),
        ({"name": "unknown", "rate": 2}, "no number from 0 to 1"),
    ],
)
def test_what_is_no_transform_is_refused_with_a_way_out(step: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Policy([step])
