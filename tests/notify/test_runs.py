"""The ends of runs: a failure each time, a recovery once, a verdict when it is another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from convoy.notify import runs
from tests.notify.robots import Robot

Make = Callable[..., Path]
ALL = ["failed", "recovered", "refused", "promoted"]
ERROR = "error 3: 1 of 48 samples is bad\n  where: data/raw"


def end(root: Path, version: str = "1", status: str = "champion", *, new: bool = True) -> None:
    runs.ended(
        root, model="digits", version=version, status=status, new=new, reason="beats the champion",
        link="http://mlflow/#/1", fix="train a better model",
    )  # fmt: skip


def titles(listener: Robot) -> list[Any]:
    return [body["title"] for body in listener.bodies]


def test_a_failure_is_told_and_the_first_success_after_it_once(project: Make, listener: Robot) -> None:
    root = project(listener.address(), events=ALL)
    runs.failed(root, ERROR, command="convoy explain")
    end(root, status="challenger")
    end(root, status="challenger", new=False)
    assert titles(listener) == [
        "项目: the run failed: 1 of 48 samples is bad",
        "项目: runs are well again",
    ]
    failed, recovered = (body["message"] for body in listener.bodies)
    assert "where: data/raw" in failed
    assert "try: convoy explain" in failed
    assert "1 of 48 samples is bad" in recovered


def test_the_verdict_is_told_when_it_is_another(project: Make, listener: Robot) -> None:
    root = project(listener.address(), events=ALL)
    end(root, "1")
    end(root, "1", new=False)
    end(root, "2", "refused")
    end(root, "2", "refused", new=False)
    assert titles(listener) == [
        "项目: digits version 1 is champion",
        "项目: digits version 2 was refused",
    ]
    assert "try: convoy registry show digits/2" in listener.bodies[1]["message"]
    assert "train a better model" in listener.bodies[1]["message"]


def test_a_verdict_of_before_the_messages_were_switched_on_is_not_told(
    project: Make, listener: Robot
) -> None:
    root = project(listener.address(), events=ALL)
    end(root, "7", new=False)
    assert listener.messages == []


def test_a_damaged_memory_is_begun_anew(project: Make, listener: Robot) -> None:
    root = project(listener.address(), events=ALL)
    path = root / runs.STATE_FILE
    path.parent.mkdir(parents=True)
    path.write_text('{"failing": {"sin')
    end(root)
    assert titles(listener) == ["项目: digits version 1 is champion"]
