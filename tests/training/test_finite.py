import pytest
import torch

from convoy.training.finite import FiniteWatch


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_cpu_tells_at_the_step_itself(value: float) -> None:
    watch = FiniteWatch()
    assert watch.see(torch.tensor(1.0), 0) is None
    assert watch.see(torch.tensor(value), 1) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_notes_the_first_step_and_is_asked_later() -> None:
    watch = FiniteWatch()
    answers = [
        watch.see(torch.tensor(float("nan") if step >= 7 else 1.0, device="cuda"), step) for step in range(50)
    ]
    assert answers == [None] * 49 + [7]
    assert watch.found() == 7
