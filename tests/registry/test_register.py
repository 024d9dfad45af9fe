"""Registration: once for each bundle, whatever is killed in between; the gate's word on real models."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from convoy import io, layout
from convoy.bundle import contents, golden
from convoy.errors import ConfigError, GateRefused, IntegrityError
from convoy.gate import verdict as gate
from convoy.registry import aliases, ledger, lookup, promotion, tracking, versions
from convoy.registry.register import Receipt, register
from tests.registry.fixtures import Project


def _register(project: Project) -> Receipt:
    return register(project.root, project.config, tracking.sync(project.root, project.config))


def _versions(project: Project) -> list[str]:
    return [str(v.version) for v in project.client.search_model_versions("name = 'digits'")]


def _aliases(project: Project) -> dict[str, str]:
    return aliases.current(project.client, "digits")


def test_the_first_bundle_becomes_version_1_and_champion(project: Project) -> None:
    receipt = _register(project)
    assert (receipt.version, receipt.status, receipt.new) == ("1", "champion", True)
    assert receipt.refusal() is None
    assert _aliases(project) == {"champion": "1"}
    tags = project.client.get_model_version("digits", "1").tags
    assert tags["convoy.bundle"] == io.sha256_tree(project.root / layout.BUNDLE)
    assert tags["convoy.dirty"] == "false"
    assert tags["convoy.run"] == receipt.run_id
    assert len(tags["convoy.commit"]) == 40
    for name in ("data_digest", "params_digest", "test_set", "dvc_lock", "environment_lock", "cpu"):
        assert tags[f"convoy.{name}"], name


def test_the_same_bundle_never_becomes_two_versions(project: Project) -> None:
    first = _register(project)
    entries = len(ledger.read(project.client, "digits"))
    second = _register(project)
    assert (second.version, second.status, second.new) == ("1", "champion", False)
    assert second.verdict["reason"] == first.verdict["reason"]
    assert [row["outcome"] for row in second.verdict["rules"]] == [
        row["outcome"] for row in first.verdict["rules"]
    ]
    assert _versions(project) == ["1"]
    assert len(ledger.read(project.client, "digits")) == entries


def test_the_verdict_is_kept_with_the_version_the_run_and_the_ledger(
    project: Project, tmp_path: Path
) -> None:
    receipt = _register(project)
    (entry,) = ledger.read(project.client, "digits")
    assert entry["numbers"] == gate.Verdict(**receipt.verdict).short()
    path = project.client.download_artifacts(receipt.run_id, "gate/digits-1.json", str(tmp_path))
    assert io.read_json(Path(path)) == receipt.verdict
    assert {row["rule"] for row in receipt.verdict["rules"]} >= {"numbers", "minimum", "size", "tree", "data"}
    assert ledger.problems(project.client, "digits") == []
    made = project.client.download_artifacts(receipt.run_id, "gate/digits-1-provenance.json", str(tmp_path))
    assert io.read_json(Path(made))["git"]["dirty"] is False
    run = project.client.get_run(receipt.run_id)
    assert run.data.tags["convoy.model"] == "digits/1"
    assert run.info.status == "FINISHED"


def test_a_better_model_takes_over_and_the_old_champion_is_previous(project: Project) -> None:
    project.use("poor")
    _register(project)
    project.use("good")
    receipt = _register(project)
    assert (receipt.version, receipt.status) == ("2", "champion")
    assert _aliases(project) == {"champion": "2", "previous": "1"}
    comparison = receipt.verdict["comparison"]
    assert (comparison["challenger"], comparison["champion"], comparison["samples"]) == (1.0, 0.75, 24)
    assert comparison["mcnemar"]["only_challenger_right"] == 6
    low, high = comparison["interval"]
    assert low <= comparison["difference"] <= high


def test_a_clearly_worse_model_is_refused_with_the_interval(project: Project) -> None:
    project.change("non_inferiority: 0.1", "non_inferiority: 0.05")
    project.commit()
    _register(project)
    project.use("poor")
    receipt = _register(project)
    assert (receipt.status, receipt.verdict["rule"]) == ("refused", "not worse")
    refusal = receipt.refusal()
    assert refusal is not None
    assert refusal.exit_code == 6
    low, high = receipt.verdict["comparison"]["interval"]
    assert f"-0.2500 [{low:+.4f}, {high:+.4f}]" in str(refusal)
    assert _aliases(project) == {"champion": "1"}


def test_a_model_that_is_not_clearly_worse_becomes_challenger(project: Project) -> None:
    _register(project)
    project.use("poor")
    receipt = _register(project)
    assert (receipt.version, receipt.status) == ("2", "challenger")
    assert _aliases(project) == {"champion": "1", "challenger": "2"}


def test_a_model_below_the_minimum_is_registered_without_an_alias(project: Project) -> None:
    project.change("minimum: 0.5", "minimum: 0.9")
    project.commit()
    project.use("poor")
    receipt = _register(project)
    assert receipt.status == "refused"
    assert _aliases(project) == {}
    refusal = receipt.refusal()
    assert isinstance(refusal, GateRefused)
    assert "0.7500" in str(refusal)
    assert "0.9000" in str(refusal)


def test_a_dirty_tree_is_refused_until_it_is_committed(project: Project) -> None:
    project.change("minimum: 0.5", "minimum: 0.6")
    receipt = _register(project)
    assert (receipt.status, receipt.new) == ("refused", True)
    assert "commit, ignore or remove them, then run `convoy register`" in str(receipt.refusal())
    again = _register(project)
    assert (again.status, again.new) == ("refused", False)
    assert len(ledger.read(project.client, "digits")) == 1
    project.commit()
    passed = _register(project)
    assert (passed.status, passed.new, passed.version) == ("champion", False, "1")
    assert project.client.get_model_version("digits", "1").tags["convoy.dirty"] == "false"
    assert _versions(project) == ["1"]


def test_without_git_nothing_is_promoted(project: Project) -> None:
    shutil.rmtree(project.root / ".git")
    receipt = _register(project)
    assert receipt.status == "refused"
    assert "not a git repository" in receipt.verdict["reason"]


def test_a_changed_dvc_lock_is_no_dirt(project: Project) -> None:
    (project.root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert _register(project).status == "champion"


def test_artifacts_of_other_parameters_are_not_promoted(project: Project) -> None:
    (project.root / "dvc.lock").write_text(
        "stages:\n  train:\n    params:\n      params.yaml:\n        train.seed: 1\n"
    )
    receipt = _register(project)
    assert receipt.status == "refused"
    assert "train: params.yaml: train.seed" in receipt.verdict["reason"]
    assert receipt.verdict["fix"] == "run `convoy run`"


def test_a_bundle_and_a_run_of_different_trainings_are_refused(project: Project) -> None:
    run_id = tracking.sync(project.root, project.config)
    project.use("poor")
    with pytest.raises(IntegrityError, match="key-of-poor"):
        register(project.root, project.config, run_id)
    assert _versions(project) == []


def test_samples_that_a_model_learned_from_are_left_out(project: Project) -> None:
    project.use("poor")
    _register(project)
    samples = pd.read_parquet(project.root / layout.BUNDLE / "samples.parquet")
    learned = set(samples.loc[samples["split"] == "test", "id"][:5])
    table = project.root / layout.SPLIT / "samples.parquet"
    split = pd.read_parquet(table)
    assert learned <= set(split["id"])
    project.use("good")
    changed = samples.assign(split=samples["split"].where(~samples["id"].isin(learned), "train"))
    changed.to_parquet(project.root / layout.BUNDLE / "samples.parquet", index=False)
    comparison = _register(project).verdict["comparison"]
    assert comparison["left_out"] == {"challenger": 5, "champion": 0}
    assert comparison["samples"] == 19


def test_raw_data_that_are_not_those_recorded_refuse_until_they_are_restored(project: Project) -> None:
    picture = next((project.root / "data" / "raw" / "toy").rglob("test *.png"))
    content = picture.read_bytes()
    picture.write_bytes(content + b"x")
    receipt = _register(project)
    assert (receipt.status, receipt.verdict["rule"], _aliases(project)) == ("refused", "data", {})
    assert "unverified data" in receipt.verdict["reason"]
    assert "dvc checkout" in receipt.verdict["fix"]
    assert len(ledger.read(project.client, "digits")) == 1
    assert _register(project).status == "refused"
    assert len(ledger.read(project.client, "digits")) == 1  # nothing new was found
    picture.write_bytes(content)
    assert _register(project).status == "champion"


def test_raw_data_that_dvc_does_not_know_are_refused(project: Project) -> None:
    (project.root / "data" / "raw" / "toy.dvc").unlink()
    receipt = _register(project)
    assert (receipt.status, receipt.verdict["rule"]) == ("refused", "data")
    assert "dvc add data/raw/toy" in receipt.verdict["fix"]


def test_a_test_picture_that_changed_stops_a_promotion_by_hand(project: Project) -> None:
    _register(project)
    project.use("poor")
    _register(project)
    picture = next((project.root / "data" / "raw" / "toy").rglob("test *.png"))
    picture.write_bytes(picture.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="has changed"):
        promotion.promote(project.root, project.client, project.config, "digits", "2")
    assert _aliases(project) == {"champion": "1", "challenger": "2"}


def test_a_champion_whose_files_were_changed_is_named(project: Project) -> None:
    _register(project)
    for path in (project.root / ".convoy").rglob("artifacts/bundle/model_card.md"):
        path.write_text("another")
    project.use("poor")
    with pytest.raises(IntegrityError, match="digits version 1 are not those"):
        _register(project)


class Killed(BaseException):
    """Stands for kill -9: nothing that the code catches."""


KILLS: list[tuple[Any, str]] = [
    (versions, "check_pyfunc"),
    (promotion, "judge"),
    (aliases, "apply"),
    (ledger, "mark_applied"),
    (ledger, "append"),
]


@pytest.mark.parametrize(("module", "function"), KILLS, ids=[f"{m.__name__}.{f}" for m, f in KILLS])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_killed_registration_ends_as_if_it_had_not_been_killed(
    project: Project, monkeypatch: pytest.MonkeyPatch, module: Any, function: str, late: bool
) -> None:
    project.use("poor")
    _register(project)
    project.use("good")
    run_id = tracking.sync(project.root, project.config)
    real: Callable[..., Any] = getattr(module, function)

    def killed(*arguments: Any, **named: Any) -> Any:
        if late:
            real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, function, killed)
        with pytest.raises(Killed):
            register(project.root, project.config, run_id)
    receipt = register(project.root, project.config, run_id)
    assert (receipt.version, receipt.status) == ("2", "champion")
    assert sorted(_versions(project)) == ["1", "2"]
    assert _aliases(project) == {"champion": "2", "previous": "1"}
    assert [e["to"] for e in ledger.read(project.client, "digits") if e["alias"] == "champion"] == ["1", "2"]
    assert contents.info(versions.fetch(project.client, lookup.resolve(project.client, "digits/2"), Path()))
    experiment = project.client.get_experiment_by_name("toy").experiment_id
    ready = project.client.search_logged_models([experiment])
    assert [str(model.status) for model in ready] == ["READY", "READY"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_around_the_creation_leaves_one_version_with_its_files(
    project: Project, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real = mlflow.MlflowClient.create_model_version

    def killed(self: Any, *arguments: Any, **named: Any) -> Any:
        if when == "after":
            real(self, *arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "create_model_version", killed)
        with pytest.raises(Killed):
            _register(project)
    assert _versions(project) == ([] if when == "before" else ["1"])
    receipt = _register(project)
    assert (receipt.version, receipt.status) == ("1", "champion")
    assert _versions(project) == ["1"]


def test_the_registered_model_loads_as_pyfunc_and_agrees(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)  # as most people run Python
    _register(project)
    model = mlflow.pyfunc.load_model("models:/digits@champion")
    samples = golden.read(project.root / layout.BUNDLE)
    table = model.predict(pd.DataFrame({"image": [sample["content"] for sample in samples]}))
    assert table.columns.tolist() == ["prediction", "confidence", "p:down", "p:up"]
    assert table["prediction"].tolist() == [sample["target"] for sample in samples]
    bundle = versions.fetch(project.client, lookup.resolve(project.client, "digits@champion"), Path())
    assert not list(bundle.rglob("__pycache__"))


def test_the_mlflow_model_holds_code_and_no_pickle(project: Project) -> None:
    _register(project)
    names = {path.name for path in (project.root / ".convoy" / "mlflow" / "artifacts").rglob("*")}
    assert "pyfunc.py" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt"))]


def test_promotion_by_hand_asks_the_gate_and_can_override_it(project: Project) -> None:
    _register(project)
    project.use("poor")
    _register(project)
    client = project.client
    here = (project.root, client, project.config, "digits")
    with pytest.raises(GateRefused, match="not more than the margin"):
        promotion.promote(*here, "2")
    assert _aliases(project) == {"champion": "1", "challenger": "2"}
    promotion.promote(*here, "@challenger", override="the customer wants it")
    assert _aliases(project) == {"champion": "2", "previous": "1"}
    entry = lookup.history(client, "digits")[-1]
    assert (entry["action"], entry["from"], entry["to"]) == ("override", "1", "2")
    assert "the customer wants it" in entry["why"]
    with pytest.raises(ConfigError, match="champion already"):
        promotion.promote(*here, "2")


def test_what_was_made_from_a_dirty_tree_is_not_promoted_by_hand(project: Project) -> None:
    project.change("minimum: 0.5", "minimum: 0.6")
    _register(project)
    project.commit()
    with pytest.raises(GateRefused, match="dirty tree"):
        promotion.promote(project.root, project.client, project.config, "digits", "1")


def test_rollback_returns_to_the_champion_before(project: Project) -> None:
    project.use("poor")
    _register(project)
    project.use("good")
    _register(project)
    entry = promotion.rollback(project.root, project.client, "digits", "it was slow")
    assert (entry["from"], entry["to"], entry["why"]) == ("2", "1", "it was slow")
    assert _aliases(project) == {"champion": "1"}
    with pytest.raises(ConfigError, match="no champion to go back to"):
        promotion.rollback(project.root, project.client, "digits")


def test_a_verdict_stands_although_somebody_deleted_the_run(project: Project) -> None:
    project.change("minimum: 0.5", "minimum: 0.6")
    first = _register(project)
    project.client.delete_run(first.run_id)
    project.commit()
    receipt = _register(project)
    assert (receipt.version, receipt.status) == ("1", "champion")


def test_references_are_resolved_and_wrong_ones_say_what_there_is(project: Project) -> None:
    _register(project)
    client = project.client
    for reference in ("models:/digits@champion", "digits@champion", "models:/digits/1", "digits/1"):
        assert lookup.resolve(client, reference).version == 1
    for reference, message in (
        ("nothing/1", "there are: digits"),
        ("digits@best", "aliases: champion → 1"),
        ("digits/7", "no version 7"),
        ("digits", "names no model version"),
        ("digits@latest", "MLflow reserves it"),
        ("digits@V3", "MLflow reserves it"),
        ("digits@../x", "names no model version"),
        ("../digits/1", "names no model version"),
        ("../1", "is no name of a model"),
        ("digits/99999999999999999999", "names no model version"),
    ):
        with pytest.raises(ConfigError) as caught:
            lookup.resolve(client, reference)
        assert message in str(caught.value)


def test_the_first_model_can_wait_for_a_persons_word(project: Project) -> None:
    project.change("first: promote", "first: hold")
    project.commit()
    receipt = _register(project)
    assert (receipt.status, receipt.verdict["rule"]) == ("challenger", "held")
    number, verdict = promotion.promote(project.root, project.client, project.config, "digits", "@challenger")
    assert (number, verdict.rule, _aliases(project)) == ("1", "first", {"champion": "1"})


def test_a_champion_that_moved_while_a_model_was_judged_is_judged_against_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.use("poor")
    _register(project)
    real = promotion.judge
    seen: list[str | None] = []

    def meanwhile(client: Any, *arguments: Any, **named: Any) -> gate.Verdict:
        verdict = real(client, *arguments, **named)
        seen.append(verdict.champion)
        if len(seen) == 1:  # another process, on a server that has no locks
            client.delete_registered_model_alias("digits", "champion")
        return verdict

    monkeypatch.setattr(promotion, "judge", meanwhile)
    project.use("good")
    assert _register(project).verdict["rule"] == "first"
    assert seen == ["1", None]


def test_weights_that_are_not_numbers_are_refused(project: Project) -> None:
    from safetensors.numpy import load_file, save_file

    path = project.root / layout.BUNDLE / "model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    weights[name] = weights[name] * float("nan")
    save_file(weights, path)
    receipt = _register(project)
    assert (receipt.status, receipt.verdict["rule"]) == ("refused", "numbers")
    assert f"weights {name}" in receipt.verdict["reason"]


def test_latency_and_size_are_measured_and_told(project: Project) -> None:
    project.change(
        "max_latency_ms: null, max_latency_ratio: null", "max_latency_ms: 1000.0, max_latency_ratio: 50.0"
    )
    project.commit()
    project.use("poor")
    _register(project)
    project.use("good")
    rules = {row["rule"]: row for row in _register(project).verdict["rules"]}
    assert rules["latency"]["outcome"] == rules["size"]["outcome"] == "passed"
    assert rules["latency"]["numbers"]["ratio"][1] > 0
    assert rules["latency"]["numbers"]["rounds"] >= 9
    assert rules["size"]["numbers"]["mb"] > 0


def test_the_flow_run_is_part_of_the_lineage(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0a1b")
    receipt = _register(project)
    shown = lookup.show(project.client, lookup.resolve(project.client, "digits/1"))
    assert shown["lineage"]["flow_run"] == "0a1b"
    assert shown["params"]["optimizer.lr"] == "0.01"
    assert project.client.get_run(receipt.run_id).data.tags["convoy.flow_run"] == "0a1b"
