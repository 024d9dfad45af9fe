"""Pictures of concurrent requests share a batch; answers find their owners."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from convoy.serving.batching import Batcher


def images(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def doubled(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(-1, 1).astype(np.float64) * 2


def test_a_lone_request_is_answered_at_once_in_its_own_thread() -> None:
    answer: Future[np.ndarray] = Future()
    Batcher(doubled).put(images(3, 4), answer)
    assert answer.done()
    assert answer.result().tolist() == [[6], [8]]


def test_what_comes_while_the_network_runs_goes_through_together() -> None:
    running, go, sizes = threading.Event(), threading.Event(), []

    def slow(pictures: np.ndarray) -> np.ndarray:
        running.set()
        assert go.wait(10)
        return doubled(pictures)

    batcher = Batcher(slow, largest=4, seen=sizes.append)
    answers: list[Future[np.ndarray]] = [Future() for _ in range(6)]
    first = threading.Thread(target=batcher.put, args=(images(0), answers[0]))
    first.start()
    assert running.wait(10)
    for number in range(1, 6):
        batcher.put(images(number), answers[number])
    assert not any(answer.done() for answer in answers)
    go.set()
    first.join(10)
    assert [answer.result(10).tolist() for answer in answers] == [[[2 * n]] for n in range(6)]
    assert sizes == [1, 4, 1]


def test_a_request_larger_than_a_batch_goes_through_in_several() -> None:
    sizes: list[int] = []
    answer: Future[np.ndarray] = Future()
    Batcher(doubled, largest=2, seen=sizes.append).put(images(1, 2, 3, 4, 5), answer)
    assert sizes == [2, 2, 1]
    assert answer.result().tolist() == [[2], [4], [6], [8], [10]]


def test_an_error_reaches_those_who_wait_and_the_next_ones_are_answered() -> None:
    failing = True

    def classify(pictures: np.ndarray) -> np.ndarray:
        if failing:
            raise RuntimeError("no memory")
        return doubled(pictures)

    batcher = Batcher(classify)
    bad: Future[np.ndarray] = Future()
    batcher.put(images(1), bad)
    with pytest.raises(RuntimeError, match="no memory"):
        bad.result()
    failing = False
    good: Future[np.ndarray] = Future()
    batcher.put(images(1), good)
    assert good.result().tolist() == [[2]]


def test_many_threads_get_each_their_own_answer_from_one_thread_at_a_time() -> None:
    inside = threading.Semaphore(1)

    def alone(pictures: np.ndarray) -> np.ndarray:
        assert inside.acquire(blocking=False)
        found = doubled(pictures)
        inside.release()
        return found

    batcher = Batcher(alone)

    def ask(number: int) -> bool:
        answer: Future[np.ndarray] = Future()
        batcher.put(images(number % 100), answer)
        return answer.result(10).tolist() == [[2 * (number % 100)]]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(2000)))
