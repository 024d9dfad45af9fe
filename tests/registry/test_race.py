"""Two processes promote at once and the better model wins; benchmarks/promotion.py does it 1,000 times."""

from pathlib import Path

from benchmarks import promotion


def test_the_better_of_two_racing_promoters_wins_every_time(tmp_path: Path) -> None:
    tally = promotion.race(tmp_path / "registry", 20)
    assert tally.wrong == []
    assert tally.races == 20
    assert 0 < tally.better_first < 20  # both orders came up, so both were tested
