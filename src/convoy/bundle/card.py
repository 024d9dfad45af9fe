"""The model card: what the model is, what it learned from, how good it is, and how to use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

_METRICS = {
    "accuracy": ("accuracy", "准确率"),
    "macro_precision": ("precision (macro)", "精确率（宏平均）"),
    "macro_recall": ("recall (macro)", "召回率（宏平均）"),
    "macro_f1": ("F1 (macro)", "F1（宏平均）"),
    "log_loss": ("log-loss (nats)", "对数损失（nat）"),
}
_SHOWN_CLASSES = 30
_SHOWN_SLICES = 5


@dataclass(frozen=True)
class Words:
    """What a card says of a modality.

    Attributes:
        kind, kind_chinese: of classifier.
        takes: what it does with one sample, a sentence that ends before "and gives a probability".
        things: plural of a sample. showing: "a picture that shows none of them".
        sources: what else there may be, "other cameras".
        fitted: what was fitted on the training split.
        example: a file. column: what pyfunc takes, "a column `image` of …".
        limits_chinese: a sentence.
    """

    kind: str
    kind_chinese: str
    takes: str
    things: str
    showing: str
    sources: str
    fitted: str
    example: str
    example_chinese: str
    column: str
    limits_chinese: str


def render(
    info: Mapping[str, Any], samples: pd.DataFrame, words: Words, slices: pd.DataFrame | None = None
) -> str:
    """Markdown from the content of bundle.json and the sample table; English, then a summary in Chinese.

    Args:
        words: of the modality.
        slices: slice, samples, accuracy, difference, the worst first; None where they were not measured.
    """
    counts = {split: int((samples["split"] == split).sum()) for split in ("train", "val", "test")}
    parts = [
        _what(info, words),
        _data(info, counts, words),
        _metrics(info),
        _slices(slices),
        _reading(info),
        _use(info, words),
        _provenance(info),
        _chinese(info, counts, words),
    ]
    return "\n".join(part for part in parts if part)


def _what(info: Mapping[str, Any], words: Words) -> str:
    parameters = info["provenance"].get("parameters")
    size = f" with {parameters:,} parameters" if parameters else ""
    return f"""# {info["name"]}, {len(info["classes"])} classes

{words.kind}: the network `{info["name"]}`{size}. {words.takes}
and gives a probability for each class.

Classes: {_classes(info["classes"])}
"""


def _data(info: Mapping[str, Any], counts: Mapping[str, int], words: Words) -> str:
    model = info["params"].get("model", {})
    if model.get("weights"):
        digest = f" (SHA-256 {model['sha256']})" if model.get("sha256") else ""
        said = f"Training began with the weights `{model['weights']}`{digest}, whose normalisation it keeps."
    else:
        said = f"{words.fitted} was fitted on the training split alone."
    return f"""## Data

| split | samples |
| --- | ---: |
| train | {counts["train"]:,} |
| validation (choice of the epoch) | {counts["val"]:,} |
| test (the figures below) | {counts["test"]:,} |

`samples.parquet` lists every one by content hash. {said}
"""


def _metrics(info: Mapping[str, Any]) -> str:
    return f"""## Measured on the test split

| metric | value | 95 % interval (bootstrap) |
| --- | ---: | --- |
{_rows(info["metrics"], language=0)}
{_baseline(info["metrics"])}"""


def _baseline(metrics: Mapping[str, Any]) -> str:
    found = metrics.get("baseline")
    if not found or "accuracy" not in found:
        return ""
    low, high = found["interval"]
    return f"""
For comparison: always answering with the most frequent class is right in {found["majority_accuracy"]:.4f}
of the cases, the baseline `{found["name"]}` on the same split in {found["accuracy"]:.4f}. The network's
accuracy differs from the baseline's by {found["difference"]:+.4f} [{low:+.4f}, {high:+.4f}].
"""


def _slices(slices: pd.DataFrame | None) -> str:
    if slices is None or slices.empty:
        return ""
    rows = "\n".join(
        f"| {row['slice']} | {int(row['samples']):,} | {row['accuracy']:.4f} | {row['difference']:+.4f} |"
        for row in slices.head(_SHOWN_SLICES).to_dict("records")
    )
    return f"""## Where it is worst

| slice of the test split | samples | accuracy | against all |
| --- | ---: | ---: | ---: |
{rows}
"""


def _reading(info: Mapping[str, Any]) -> str:
    """How the probabilities and thresholds are meant to be read."""
    calibration = info.get("calibration", {"method": "none", "temperature": 1.0})
    test = info["metrics"]["test"]
    if calibration["method"] == "none":
        said = "The probabilities are the network's own, not calibrated: read them as a ranking."
    else:
        ece = f" The mean gap on the test split (ECE) is {test['ece']:.4f}." if "ece" in test else ""
        said = (
            f"The probabilities are calibrated (temperature {calibration['temperature']:.4f}, fitted on the "
            f"validation split): of the answers given with 0.9, about nine in ten are right.{ece}"
        )
    thresholds = info.get("thresholds") or {}
    rule = (
        '\n`thresholds` in bundle.json holds, for each class, the probability from which saying "it is this\n'
        'class" had the best F1 on the validation split. The prediction is always the most probable class.\n'
        if thresholds
        else ""
    )
    return f"""## How to read an answer

{said}
{rule}"""


def _use(info: Mapping[str, Any], words: Words) -> str:
    return f"""## Use and limits

For {words.things} like those it was trained on. It always answers with one of its {len(info["classes"])}
classes, also for {words.showing}. The figures say nothing about {words.sources}, other
sources or later times: measure again there before you rely on it.

```
pip install -r requirements.txt
python code/predictor.py {words.example}
```

or, from the registry, `convoy predict {words.example}`, or `mlflow.pyfunc.load_model(...)` on a table with a
{words.column}. Nothing of this needs torch.
"""


def _provenance(info: Mapping[str, Any]) -> str:
    rows = "\n".join(f"| {name} | `{value}` |" for name, value in sorted(info["provenance"].items()))
    return f"""## Provenance

| what | value |
| --- | --- |
{rows}

Commit, machine and `dvc.lock` of the registration are tags of the registry's version: they may differ between
two equal bundles.
"""


def _chinese(info: Mapping[str, Any], counts: Mapping[str, int], words: Words) -> str:
    run = f"python code/predictor.py {words.example_chinese}"
    return f"""## 中文摘要

{words.kind_chinese} `{info["name"]}`，共 {len(info["classes"])} 个类别。
训练样本 {counts["train"]:,} 个，验证样本 {counts["val"]:,} 个，测试样本 {counts["test"]:,} 个。

| 指标（测试集） | 数值 | 95% 置信区间 |
| --- | ---: | --- |
{_rows(info["metrics"], language=1)}

{words.limits_chinese}{_calibrated_chinese(info)}
用法：`pip install -r requirements.txt`，然后运行 `{run}`（不需要 torch）。
"""


def _calibrated_chinese(info: Mapping[str, Any]) -> str:
    calibration = info.get("calibration", {"method": "none"})
    if calibration["method"] == "none":
        return "概率未经校准，只宜用于排序。"
    return f"概率经过温度校准（T = {calibration['temperature']:.4f}，在验证集上拟合）。"


def _rows(metrics: Mapping[str, Any], language: int) -> str:
    intervals = metrics.get("intervals", {})
    rows = []
    for name, labels in _METRICS.items():
        if name in metrics["test"]:
            low_high = intervals.get(name)
            interval = f"{low_high[0]:.4f} – {low_high[1]:.4f}" if low_high else ""
            rows.append(f"| {labels[language]} | {metrics['test'][name]:.4f} | {interval} |")
    return "\n".join(rows)


def _classes(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN_CLASSES])
    return shown + (f" and {len(names) - _SHOWN_CLASSES} more" if len(names) > _SHOWN_CLASSES else "")
