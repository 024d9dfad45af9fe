"""A model of texts served and asked: single texts, tables, files of lines."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convoy.cli.app import app
from convoy.config.augment import AugmentConfig
from convoy.config.objective import ClassificationConfig
from convoy.errors import DataError
from convoy.stages.augment import augment
from convoy.stages.evaluate import evaluate
from convoy.stages.package import package
from convoy.stages.train import train
from tests.models.sections import TEXTS
from tests.serving import browser, servers
from tests.serving.servers import Server
from tests.stages.test_texts import EVALUATE, STEPS, TRAIN, prepared
from tests.stages.through import MODEL

QUESTION, ORDER = "where the old dog house it", "take it now the red car"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        prepared(root)
        augment(
            root / "prepare",
            AugmentConfig(online=False, offline_copies=0, seed=0, transforms=STEPS),
            root / "augment",
        )
        objective = ClassificationConfig(name="classification")
        train(
            root / "prepare", root / "augment", MODEL.validate_python(TEXTS["textcnn"]), objective, TRAIN,
            state=root / "state", out=root / "train",
        )  # fmt: skip
        quick = EVALUATE.model_copy(update={"robustness_samples": 0, "tta": 0, "baseline": "none"})
        evaluate(root / "train", root / "prepare", root / "split", quick, root / "evaluate")
        package(root / "train", root / "evaluate", root / "prepare", root / "split", root / "bundle")
    return root / "bundle"


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    with servers.running(bundle) as found:
        yield found


def predict(bundle: Path, *arguments: str) -> tuple[object, str]:
    """Standard output as JSON, standard error."""
    done = CliRunner().invoke(app, ["predict", *arguments, "--model", str(bundle), "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": ["text"], "data": [[QUESTION], [ORDER]]}},
        {"dataframe_records": [{"text": QUESTION}, {"text": ORDER}]},
        {"instances": [{"text": QUESTION}, {"text": ORDER}]},
        {"inputs": {"text": [QUESTION, ORDER]}},
    ],
)
def test_every_json_form_of_mlflow_takes_texts_as_they_are(
    server: Server, document: dict[str, object]
) -> None:
    answer = server.invoke(document)
    assert answer.status == 200, answer.body
    assert [row["prediction"] for row in answer.json["predictions"]] == ["question", "order"]
    assert list(answer.json["predictions"][0]) == ["prediction", "confidence", "p:order", "p:question"]


def test_a_table_takes_texts_with_commas_and_line_ends(server: Server) -> None:
    body = f'text\n"{QUESTION},\nthe big car"\n{ORDER}\n'.encode()
    answer = server.ask("POST", "/invocations", body, {"content-type": "text/csv"})
    assert [row["prediction"] for row in answer.json["predictions"]] == ["question", "order"]


def test_a_file_that_is_sent_is_one_text(server: Server) -> None:
    answer = server.upload(QUESTION.encode(), ORDER.encode())
    assert answer.status == 200, answer.body
    assert [each["label"] for each in answer.json["predictions"]] == ["question", "order"]


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"   \n", 422), ("größer".encode("latin-1"), 415), (b"\xff\xfe\x00", 415)],
)
def test_what_is_no_text_is_refused_by_name(server: Server, content: bytes, status: int) -> None:
    answer = server.upload(content)
    assert answer.status in (status, 415, 422), answer.body
    assert answer.status != 500
    assert server.invoke({"inputs": [{"text": 3}]}).status == 422
    assert server.invoke({"inputs": [{"image": "x"}]}).status == 422


def test_texts_of_any_length_stand_in_one_batch(server: Server) -> None:
    many = [" ".join([ORDER] * n) for n in range(1, 40)]
    answer = server.invoke({"inputs": [{"text": text} for text in many]})
    assert answer.status == 200, answer.body
    alone = server.invoke({"inputs": [{"text": many[-1]}]})
    last, same = answer.json["predictions"][-1], alone.json["predictions"][0]
    assert last["p:order"] == pytest.approx(same["p:order"], abs=1e-6), "padding changes no answer"


def test_lines_of_a_file_are_predicted_by_line(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.txt"
    file.write_text(f"{QUESTION}\n\n{ORDER}\n", encoding="utf-8")
    rows, _ = predict(bundle, str(file))
    assert isinstance(rows, list)
    assert [(row["path"], row["label"]) for row in rows] == [
        (f"{file}:1", "question"),
        (f"{file}:3", "order"),
    ]


def test_a_column_of_a_table_is_predicted(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f'n,words\n1,"{QUESTION}, {QUESTION}"\n2,{ORDER}\n', encoding="utf-8-sig")
    rows, _ = predict(bundle, str(file), "--column", "words")
    assert isinstance(rows, list)
    assert [row["label"] for row in rows] == ["question", "order"]
    with pytest.raises(DataError, match="no column 'path'") as error:
        predict(bundle, str(file))
    assert "n, words" in error.value.fix
    (tmp_path / "latin.txt").write_bytes("größer\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        predict(bundle, str(tmp_path / "latin.txt"))


@pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium is installed")
def test_the_page_asks_for_a_text_and_shows_what_the_model_says(server: Server, tmp_path: Path) -> None:
    with browser.page(tmp_path / "profile") as tab:
        tab.open(f"http://127.0.0.1:{server.port}/")
        tab.until("!document.getElementById('typed').hidden")
        assert tab.run("document.querySelector('h1').textContent") == "What does the model say?"
        assert tab.run("document.getElementById('drop').hidden") is True
        tab.run(f"document.getElementById('content').value = {json.dumps(QUESTION)}")
        tab.run("document.getElementById('go').click()")
        tab.until("document.getElementById('status').textContent === 'Done.'")
        assert tab.run("document.getElementById('label').textContent") == "question"
        assert tab.problems == []
        if folder := os.environ.get("CONVOY_SCREENSHOTS"):
            tab.screenshot(Path(folder) / "page-text.png")
        tab.run("document.getElementById('content').value = ' '")
        tab.run("document.getElementById('go').click()")
        tab.until("document.getElementById('status').classList.contains('wrong')")
        assert tab.run("document.getElementById('status').textContent").startswith(
            "The model cannot take this."
        )
