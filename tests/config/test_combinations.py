"""What does not go together is refused before anything runs, with the reason."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from convoy import plugins
from convoy.cli.config import app
from convoy.config import combinations
from convoy.config.load import load
from convoy.errors import ConfigError
from tests.models.sections import ROWS, SECTIONS, SEQUENCES, TEXTS

RECIPES = {"image": "digits", "text": "trec", "sequence": "ucr", "table": "adult"}
MODELS = {"image": SECTIONS, "text": TEXTS, "sequence": SEQUENCES, "table": ROWS}


def written(repository: Path, folder: Path, recipe: str, **changes: Any) -> Path:
    document = YAML(typ="safe").load((repository / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        document[section] = values if section == "model" else {**document[section], **values}
    with (folder / "params.yaml").open("w", encoding="utf-8") as handle:
        YAML(typ="safe").dump(document, handle)
    return folder / "params.yaml"


def checked(**checks: str) -> dict[str, Any]:
    return {"validate": {"checks": checks}}


@pytest.mark.parametrize("modality", RECIPES)
@pytest.mark.parametrize("model", sorted({*SECTIONS, *TEXTS, *SEQUENCES, *ROWS}))
@pytest.mark.parametrize("objective", ["classification", "multilabel", "regression"])
def test_every_combination_is_taken_or_refused_with_the_reason(
    modality: str, model: str, objective: str, repository: Path, tmp_path: Path
) -> None:
    suits = model in MODELS[modality]
    section = {**SECTIONS, **ROWS, **SEQUENCES, **TEXTS, **MODELS[modality]}[model]
    loss = {} if objective == "classification" else {"loss": "mse" if objective == "regression" else "bce"}
    path = written(repository, tmp_path, RECIPES[modality], model=section)
    document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    document["objective"] = {"name": objective, **loss}
    with path.open("w", encoding="utf-8") as handle:
        YAML(typ="safe").dump(document, handle)
    if suits and objective == "classification":
        assert load(path).model.name == model
        return
    with pytest.raises(ConfigError) as refused:
        load(path)
    if not suits:
        assert f"name: {model} takes samples of modality" in str(refused.value)
    if objective != "classification":
        assert f"name: {objective}" in str(refused.value)


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("trec", {"augment": {"mixup": {"alpha": 0.2}}}, "mixup is for pictures"),
        ("trec", {"augment": {"preset": "photos"}}, "preset is for pictures"),
        ("trec", {"evaluate": {"baseline": "hog_linear"}}, "use tfidf_linear or none"),
        ("trec", {"prepare": {"height": 28}}, "unknown key 'prepare.height'"),
        ("trec", {"prepare": {"max_lenght": 28}}, "did you mean 'max_length'"),
        ("trec", {"data": {"modality": "image"}}, "gives samples of modality text, and modality is image"),
        ("ucr", {"augment": {"cutmix": {"alpha": 0.2}}}, "cutmix is for pictures, and data.modality is seq"),
        ("ucr", {"evaluate": {"baseline": "hog_linear"}}, "use nearest_euclidean, nearest_dtw, sequence_lin"),
        ("ucr", {"prepare": {"height": 28}}, "unknown key 'prepare.height'"),
        ("ucr", {"prepare": {"length": 20, "rate": 8.0}}, "length and rate both resample"),
        ("ucr", {"data": {"modality": "text"}}, "gives samples of modality sequence, and modality is text"),
        ("ucr", {"model": TEXTS["gru"]}, "embedding is of tokens, and data.modality is sequence; remove it"),
        ("ucr", {"model": {"name": "fcn", "kernels": [8, 5]}}, "channels has 3 layers and kernels 2"),
        ("trec", {"model": {"name": "fcn"}}, "fcn takes samples of modality sequence, and data.modality is"),
        ("digits", {"model": {"name": "gru"}}, "gru takes samples of modality text or sequence, and data.mo"),
        ("digits", {"data": {"modality": "text"}}, "gives samples of modality image, and modality is text"),
        ("digits", {"evaluate": {"baseline": "tfidf_linear"}}, "use hog_linear or none"),
        ("digits", {"data": {"modality": "sound"}}, "'sound' is none of image, text, sequence, table"),
        (
            "adult",
            {"augment": {"mixup": {"alpha": 0.2}}},
            "mixup is for pictures, and data.modality is table",
        ),
        ("adult", {"evaluate": {"baseline": "hog_linear"}}, "use gradient_boosting, logistic or none"),
        ("adult", {"prepare": {"height": 28}}, "unknown key 'prepare.height'"),
        ("adult", {"prepare": {"numbers": {"scal": "none"}}}, "did you mean 'scale'"),
        ("adult", {"prepare": {"numbers": {"outliers": {"name": "isolation_forest"}}}}, "judges rows"),
        ("adult", {"prepare": {"select": {"name": "univariate"}}}, "univariate needs keep"),
        (
            "adult",
            {"prepare": {"select": {"name": "variance", "keep": 3}}},
            "keep means nothing to name: variance",
        ),
        ("adult", {"prepare": {"select": {"name": "l1", "threshold": 0.5}}}, "belongs to variance"),
        ("adult", {"data": {"table": "adult.data"}}, "needs table, or tables by split, and not both"),
        ("adult", {"data": {"text_col": "age"}}, "text_col means nothing to source 'table_rows'"),
        ("trec", {"data": {"columns": {"a": "number"}}}, "columns means nothing to source 'text_lines'"),
        ("adult", {"data": {"columns": {"age": "numbre"}}}, "'numbre' is none of number"),
        ("adult", {"data": {"modality": "text"}}, "gives samples of modality table, and modality is text"),
        ("adult", checked(blank="off"), r"checks\.blank: a check of data.modality: image, and it is table"),
        ("adult", checked(blank="warn"), "use one of unreadable, .*, unseen, target_leaks"),
        ("ucr", checked(target_leaks="error"), "data.modality: table, and it is sequence here"),
        ("trec", checked(oversized="error"), r"params.yaml:\d+:\d+: validate.checks.oversized: a check of"),
        ("digits", checked(missing="warn"), "a check of data.modality: sequence and table, and it is image"),
        ("adult", checked(constant="quarantine"), "leaves rows out, and of a table this check finds columns"),
        ("adult", checked(missing="quarantine"), "use error, warn or off"),
    ],
)
def test_sections_of_another_modality_are_refused(
    recipe: str, changes: dict[str, Any], message: str, repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(written(repository, tmp_path, recipe, **changes))


@pytest.mark.parametrize("modality", RECIPES)
def test_the_checks_that_a_modality_may_set_are_those_that_it_runs(modality: str) -> None:
    part = plugins.load("checking", modality)
    run = {check.NAME for check in (*part.CHECKS, *part.LAST)}
    assert run - {"classes"} == set(combinations.checks(modality))  # a model cannot be made without classes


@pytest.mark.parametrize("modality", RECIPES)
def test_every_check_of_a_modality_can_be_set(modality: str, repository: Path, tmp_path: Path) -> None:
    every = checked(**dict.fromkeys(combinations.checks(modality), "error"))
    config = load(written(repository, tmp_path, RECIPES[modality], **every))
    assert config.validation.checks.model_fields_set == set(combinations.checks(modality))


@pytest.mark.parametrize("modality", RECIPES)
def test_shown_parameters_can_be_used_as_they_are(modality: str, repository: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["show", str(repository / "recipes" / f"{RECIPES[modality]}.yaml")])
    (tmp_path / "params.yaml").write_text(shown.stdout, encoding="utf-8")
    again = CliRunner().invoke(app, ["show", str(tmp_path / "params.yaml")])
    assert (again.exit_code, again.stdout) == (0, shown.stdout)
