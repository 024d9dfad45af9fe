"""The model card: what the model is, what it learned from, how good it is, and how to use it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

_SHOWN_SLICES = 5
Info = Mapping[str, Any]


@dataclass(frozen=True)
class Says:
    """What a card says of an objective; `info` is the content of bundle.json.

    Attributes:
        metrics: name in metrics.json -> (English, Chinese), in the order in which they are shown.
        sliced: the column of slices.csv that tells how good a slice is.
        kind, kind_chinese: of model; empty: the modality's word for a classifier.
        title: beside the name. gives: what it gives for a sample, with a list of the outputs.
        baseline: a paragraph from the metrics' baseline; empty where nothing was compared.
        reading: how an answer is read.
        limits: what it answers in any case; told is what shows none of what it knows.
        outputs_chinese, limits_chinese: a sentence each.
    """

    metrics: Mapping[str, tuple[str, str]]
    sliced: str
    kind: str
    kind_chinese: str
    title: Callable[[Info], str]
    gives: Callable[[Info], str]
    baseline: Callable[[Mapping[str, Any]], str]
    reading: Callable[[Info], str]
    limits: Callable[[Info, str], str]
    outputs_chinese: Callable[[Info], str]
    limits_chinese: Callable[[Info], str]


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
    info: Info, samples: pd.DataFrame, words: Words, says: Says, slices: pd.DataFrame | None = None
) -> str:
    """Markdown from the content of bundle.json and the sample table; English, then a summary in Chinese.

    Args:
        words: of the modality. says: of the objective.
        slices: slice, samples, accuracy (or what else is measured), difference, the worst first; None where
            they were not measured.
    """
    counts = {split: int((samples["split"] == split).sum()) for split in ("train", "val", "test")}
    parts = [
        _what(info, words, says),
        _data(info, counts, words),
        _metrics(info, says),
        _slices(slices, says.sliced),
        f"## How to read an answer\n\n{says.reading(info)}",
        _use(info, words, says),
        _provenance(info),
        _chinese(info, counts, words, says),
    ]
    return "\n".join(part for part in parts if part)


def _what(info: Info, words: Words, says: Says) -> str:
    parameters = info["provenance"].get("parameters")
    size = f" with {parameters:,} parameters" if parameters else ""
    return f"""# {info["name"]}, {says.title(info)}

{says.kind or words.kind}: the network `{info["name"]}`{size}. {words.takes}
{says.gives(info)}"""


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


def _metrics(info: Info, says: Says) -> str:
    return f"""## Measured on the test split

| metric | value | 95 % interval (bootstrap) |
| --- | ---: | --- |
{_rows(info["metrics"], says, language=0)}
{says.baseline(info["metrics"].get("baseline") or {})}"""


def _slices(slices: pd.DataFrame | None, measure: str) -> str:
    if slices is None or slices.empty:
        return ""
    rows = "\n".join(
        f"| {row['slice']} | {int(row['samples']):,} | {row[measure]:.4f} | {row['difference']:+.4f} |"
        for row in slices.head(_SHOWN_SLICES).to_dict("records")
    )
    return f"""## Where it is worst

| slice of the test split | samples | {measure} | against all |
| --- | ---: | ---: | ---: |
{rows}
"""


def _use(info: Info, words: Words, says: Says) -> str:
    limits = f"{says.limits(info, words.showing)} The figures say nothing about {words.sources}, other"
    return f"""## Use and limits

For {words.things} like those it was trained on. {limits}
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


def _chinese(info: Info, counts: Mapping[str, int], words: Words, says: Says) -> str:
    run = f"python code/predictor.py {words.example_chinese}"
    return f"""## 中文摘要

{says.kind_chinese or words.kind_chinese} `{info["name"]}`，{says.outputs_chinese(info)}
训练样本 {counts["train"]:,} 个，验证样本 {counts["val"]:,} 个，测试样本 {counts["test"]:,} 个。

| 指标（测试集） | 数值 | 95% 置信区间 |
| --- | ---: | --- |
{_rows(info["metrics"], says, language=1)}

{words.limits_chinese if not says.kind_chinese else ""}{says.limits_chinese(info)}
用法：`pip install -r requirements.txt`，然后运行 `{run}`（不需要 torch）。
"""


def _rows(metrics: Mapping[str, Any], says: Says, language: int) -> str:
    intervals = metrics.get("intervals", {})
    rows = []
    for name, labels in says.metrics.items():
        if name in metrics["test"]:
            low_high = intervals.get(name)
            interval = f"{low_high[0]:.4f} – {low_high[1]:.4f}" if low_high else ""
            rows.append(f"| {labels[language]} | {metrics['test'][name]:.4f} | {interval} |")
    return "\n".join(rows)
