"""The watch on the alias: a new model takes over between requests, a bad one never does."""

import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from convoy.errors import IntegrityError, ResourceError
from convoy.serving.metrics import Metrics
from convoy.serving.model import Live
from tests.serving import servers
from tests.serving.servers import Shelf, until


@pytest.fixture
def live(folder: Path) -> Live:
    return Live(Shelf(folder), Metrics(), interval=0.05)


def shelf_of(live: Live) -> Shelf:
    assert isinstance(live._source, Shelf)
    return live._source


def test_nothing_is_fetched_while_the_alias_stays(live: Live) -> None:
    assert [live.look() for _ in range(3)] == [False, False, False]
    assert shelf_of(live).fetched == ["1"]


def test_a_moved_alias_is_followed(live: Live, workshop: Path) -> None:
    before = live.current
    shelf_of(live).put("2", workshop / "poor" / "bundle")
    assert live.look()
    assert live.current is not before
    assert live.current.reference.version == "2"
    assert "convoy_swaps_total 1.0" in live._metrics.text().decode()
    assert 'version="1"' not in live._metrics.text().decode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: (b / "model.onnx").write_bytes(b"a pickle? \x80\x04\x95"),
        lambda b: (b / "bundle.json").write_text("{"),
        lambda b: (b / "model.onnx").unlink(),
    ],
)
def test_a_bundle_that_does_not_load_leaves_the_old_one_and_is_reported(
    live: Live, folder: Path, tmp_path: Path, damage, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = shutil.copytree(folder, tmp_path / "bundle")
    damage(broken)
    before = live.current
    shelf_of(live).put("2", broken)
    assert not live.look()
    assert live.current is before
    assert live.problem is not None
    assert "toy/2 was not taken" in live.problem
    assert "toy/1 goes on" in capsys.readouterr().err
    assert "convoy_swap_failures_total 1.0" in live._metrics.text().decode()


def test_a_bundle_that_failed_is_tried_again_but_not_at_every_look(
    live: Live, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("convoy.serving.model.time.monotonic", lambda: now)
    shelf_of(live).put("2", tmp_path)
    assert not live.look()
    assert not live.look()
    assert shelf_of(live).fetched == ["1", "2"]
    shelf_of(live).folders["2"] = folder
    now += 1
    assert live.look()
    assert live.problem is None


def test_a_registry_that_is_away_changes_nothing(live: Live) -> None:
    shelf_of(live).broken = ResourceError("the MLflow server cannot be reached")
    assert not live.look()
    assert live.problem == "the registry: the MLflow server cannot be reached"
    shelf_of(live).broken = None
    live.look()
    assert live.problem is None


def test_a_network_that_answers_nan_is_not_taken(
    live: Live, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "convoy.serving.model.Predictor.decode", lambda self, images: np.full((len(images), 2), np.nan)
    )
    shelf_of(live).put("2", workshop / "poor" / "bundle")
    assert not live.look()
    assert "NaN" in (live.problem or "")


def test_the_first_bundle_must_load(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"bundle\.json"):
        Live(Shelf(tmp_path), Metrics())


def test_a_bundle_may_not_allow_itself_more_pixels_than_the_server(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "bundle")
    info = json.loads((copy / "bundle.json").read_text())
    info["preprocessing"]["spec"]["max_pixels"] = 10**12
    (copy / "bundle.json").write_text(json.dumps(info))
    assert Live(Shelf(copy), Metrics()).current.predictor.spec["max_pixels"] == 50_000_000


def test_requests_go_on_without_an_error_while_models_are_exchanged(
    workshop: Path, pictures: list[Path]
) -> None:
    """Clients ask all the while the alias moves to and fro; each answer is that of the model it names."""
    bundles = {"1": workshop / "good" / "bundle", "2": workshop / "poor" / "bundle"}
    content = pictures[0].read_bytes()
    with servers.running(bundles["1"], interval=0.02) as server:
        expected = {}
        for version, bundle in (("2", bundles["2"]), ("1", bundles["1"])):
            server.shelf.put(version, bundle)
            until(lambda version=version: server.live.current.reference.version == version)
            answer = server.upload(content).json
            expected[version] = answer["predictions"][0]["probability"]
        assert expected["1"] != expected["2"]
        done, seen, wrong = threading.Event(), set(), []

        def ask() -> None:
            while not done.is_set():
                answer = server.upload(content)
                version = answer.json["model"]["version"] if answer.status == 200 else ""
                seen.add(version)
                if answer.json["predictions"][0]["probability"] != pytest.approx(expected[version], abs=1e-6):
                    wrong.append(answer)

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        for turn in range(12):
            version = "21"[turn % 2]
            server.shelf.put(version, bundles[version])
            until(lambda version=version: server.live.current.reference.version == version)
            time.sleep(0.05)
        done.set()
        for client in clients:
            client.join(20)
        assert wrong == []
        assert seen == {"1", "2"}
        assert server.metric("convoy_swaps_total") >= 14
        assert server.ask("GET", "/health").json["status"] == "ok"


def test_health_says_what_is_wrong_while_the_old_model_answers(
    folder: Path, tmp_path: Path, pictures: list[Path]
) -> None:
    with servers.running(folder) as server:
        server.shelf.put("2", tmp_path)
        server.live.look()
        answer = server.ask("GET", "/health")
        assert (answer.status, answer.json["status"]) == (200, "degraded")
        assert "toy/2 was not taken" in answer.json["problem"]
        assert server.upload(pictures[0].read_bytes()).json["model"]["version"] == "1"
