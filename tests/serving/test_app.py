"""The routes, over HTTP: right answers, in the form that is described and that MLflow's own server gives."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from convoy.serving import schemas
from convoy.serving.predictor import Predictor
from tests.serving.servers import Server, until


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def test_several_files_are_answered_in_order_as_the_predictor_does(
    server: Server, folder: Path, pictures: list[Path]
) -> None:
    answer = server.upload(*(path.read_bytes() for path in pictures))
    assert answer.status == 200
    found = schemas.Answers.model_validate(answer.json)
    assert found.model.version == "1"
    assert [p.file for p in found.predictions] == [f"{n}.png" for n in range(len(pictures))]
    assert [p.label for p in found.predictions] == [path.parent.name for path in pictures]
    expected = Predictor(folder).predict(pictures)
    for prediction, wanted in zip(found.predictions, expected, strict=True):
        assert prediction.probabilities == pytest.approx(wanted["probabilities"], abs=1e-6)
        assert prediction.probability == prediction.probabilities[prediction.label]


def test_a_heat_map_comes_with_the_picture_that_the_network_saw(
    server: Server, folder: Path, pictures: list[Path]
) -> None:
    answer = server.upload(pictures[0].read_bytes(), query="?heatmap=true")
    (found,) = schemas.Answers.model_validate(answer.json).predictions
    heat, seen = (_pixels(url) for url in (found.heatmap, found.prepared))
    assert np.array_equal(seen, Predictor(folder).prepare(pictures[0])[:, :, 0])
    assert heat.shape == seen.shape
    assert heat.max() == 255


def _pixels(url: str | None) -> np.ndarray:
    assert url is not None
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))


def test_heat_maps_are_made_one_by_one(server: Server, pictures: list[Path]) -> None:
    answer = server.upload(*(path.read_bytes() for path in pictures[:2]), query="?heatmap=true")
    assert answer.status == 422
    assert server.upload(pictures[0].read_bytes(), query="?heatmap=perhaps").status == 422


def test_only_a_few_heat_maps_wait_and_other_requests_are_answered_meanwhile(
    server: Server, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, content = threading.Event(), pictures[0].read_bytes()
    explain = server.live.current.explain
    monkeypatch.setattr(server.live.current, "explain", lambda picture: release.wait(10) and explain(picture))
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(server.upload, content, query="?heatmap=true") for _ in range(4)]
        until(lambda: server.metric("convoy_batch_pictures_sum") >= 4)
        time.sleep(0.2)  # from their answers to their heat-maps
        refused = server.upload(content, query="?heatmap=true")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert server.upload(content).status == 200
        release.set()
        assert [answer.result().status for answer in waiting] == [200] * 4


@pytest.mark.parametrize(
    "wrap",
    [
        lambda b: {"dataframe_split": {"columns": ["image"], "data": [[x] for x in b]}},
        lambda b: {"dataframe_split": {"columns": ["image"], "index": [0, 1], "data": [[x] for x in b]}},
        lambda b: {"dataframe_records": [{"image": x} for x in b]},
        lambda b: {"instances": [{"image": x} for x in b]},
        lambda b: {"inputs": {"image": b}},
        lambda b: {"inputs": [{"image": x} for x in b], "params": None},
    ],
)
def test_every_json_form_of_mlflow_gives_the_output_columns(
    server: Server, pictures: list[Path], wrap
) -> None:
    chosen = pictures[:2]
    answer = server.invoke(wrap([encoded(path) for path in chosen]))
    assert answer.status == 200, answer.body
    rows = schemas.Invocation.model_validate(answer.json).predictions
    assert [row["prediction"] for row in rows] == [path.parent.name for path in chosen]
    assert list(rows[0]) == ["prediction", "confidence", "p:down", "p:up"]


def test_csv_is_understood(server: Server, pictures: list[Path]) -> None:
    body = "image\n" + "".join(f"{encoded(path)}\n" for path in pictures[:3])
    answer = server.ask("POST", "/invocations", body.encode(), {"content-type": "text/csv; charset=utf-8"})
    assert [row["prediction"] for row in answer.json["predictions"]] == [p.parent.name for p in pictures[:3]]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_mlflows_own_server_answers_the_same(
    server: Server, folder: Path, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import pyfunc
    from mlflow.models.signature import ModelSignature
    from mlflow.pyfunc import scoring_server
    from mlflow.types import ColSpec, Schema

    # MLflow imports the program where it lies, in the session's bundle
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    pyfunc.save_model(
        tmp_path / "model",
        python_model=str(folder / "code" / "pyfunc.py"),
        artifacts={"bundle": str(folder)},
        signature=ModelSignature(inputs=Schema([ColSpec("binary", "image")])),
        pip_requirements=[],
    )
    model = pyfunc.load_model(str(tmp_path / "model"))
    for document in (
        {"dataframe_split": {"columns": ["image"], "data": [[encoded(path)] for path in pictures]}},
        {"dataframe_records": [{"image": encoded(path)} for path in pictures]},
    ):
        theirs = scoring_server.invocations(
            json.dumps(document), "application/json", model, model.metadata.get_input_schema()
        )
        ours = server.invoke(document).json["predictions"]
        assert theirs.status == 200, theirs.response
        for row, other in zip(json.loads(theirs.response)["predictions"], ours, strict=True):
            assert row.keys() == other.keys()
            assert row["prediction"] == other["prediction"]
            assert [row[k] for k in row if k != "prediction"] == pytest.approx(
                [other[k] for k in row if k != "prediction"], abs=1e-4
            )


def test_the_description_names_every_route_with_its_types(server: Server) -> None:
    document = server.ask("GET", "/openapi.json").json
    assert set(document["paths"]) == {
        "/predict", "/invocations", "/ping", "/health", "/version", "/metrics"
    }  # fmt: skip
    good = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    assert good["schema"] == {"$ref": "#/components/schemas/Answers"}
    assert document["components"]["schemas"]["Answer"]["properties"]["probability"]["type"] == "number"
    for code in ("413", "415", "422"):
        assert code in document["paths"]["/predict"]["post"]["responses"]


def test_the_facts_are_told(server: Server) -> None:
    assert server.ask("GET", "/ping").status == 200
    health = schemas.Health.model_validate(server.ask("GET", "/health").json)
    assert (health.status, health.problem, health.model.digest) == ("ok", None, "digest-of-1")
    assert schemas.Version.model_validate(server.ask("GET", "/version").json).classes == ["down", "up"]


def test_requests_are_counted_by_route_and_status(server: Server, pictures: list[Path]) -> None:
    server.upload(pictures[0].read_bytes())
    server.upload(b"nothing")
    server.ask("GET", "/no/such/route")
    assert server.metric('convoy_requests_total{route="/predict",status="200"}') == 1
    assert server.metric('convoy_requests_total{route="/predict",status="415"}') == 1
    assert server.metric('convoy_requests_total{route="other",status="404"}') == 1
    assert server.metric('convoy_request_seconds_count{route="/predict"}') == 2
    assert server.metric('convoy_model_info{digest="digest-of-1",model="toy",version="1"}') == 1


def test_many_clients_at_once_get_each_their_own_answer(server: Server, pictures: list[Path]) -> None:
    def ask(number: int) -> bool:
        path = pictures[number % len(pictures)]
        return server.upload(path.read_bytes()).json["predictions"][0]["label"] == path.parent.name

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))
    assert server.metric("convoy_batch_pictures_sum") >= 200
