"""A process is known again, and no other is taken for it."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from convoy.owners import Owner

ME = Owner.of()


def test_this_process_is_not_gone_and_reads_back() -> None:
    assert not ME.gone
    assert Owner.parse(str(ME)) == ME
    assert Owner.read({**ME.record(), "more": 1}) == ME
    assert ME.pid == os.getpid()


def test_a_process_is_gone_when_it_has_ended_and_also_before_it_is_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    assert not owner.gone
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.gone  # a zombie
    process.wait()
    assert owner.gone
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize(
    "other",
    [
        replace(ME, ticks=ME.ticks - 1),
        replace(ME, ticks=0, create_time=ME.create_time - 60),
        replace(ME, boot="of another day"),
    ],
    ids=["started at another tick", "started at another time", "before the boot"],
)
def test_a_number_that_was_given_out_again_is_another_process(other: Owner) -> None:
    assert other.gone


@pytest.mark.parametrize(
    "other",
    [
        replace(ME, host="another-host", pid=2**22 - 1),
        replace(ME, space="pid:[1]", pid=2**22 - 1),
        replace(ME, create_time=ME.create_time - 172_800),
    ],
    ids=["of another host", "of a container", "the clock was set by two days"],
)
def test_what_cannot_be_known_to_be_gone_is_not(other: Owner) -> None:
    assert not other.gone


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"pid": "x", "create_time": 1, "host": "h"}'])
def test_other_words_name_no_process(text: str) -> None:
    assert Owner.parse(text) is None
