"""The model card: what the model is, what it learned from, how good it is, and how to use it."""

from collections.abc import Mapping
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


def render(info: Mapping[str, Any], samples: pd.DataFrame) -> str:
    """Markdown from the content of bundle.json and the sample table; English, then a summary in Chinese."""
    counts = {split: int((samples["split"] == split).sum()) for split in ("train", "val", "test")}
    parts = [
        _what(info),
        _data(counts),
        _metrics(info),
        _use(info),
        _provenance(info),
        _chinese(info, counts),
    ]
    return "\n".join(parts)


def _what(info: Mapping[str, Any]) -> str:
    spec, provenance = info["preprocessing"]["spec"], info["provenance"]
    parameters = provenance.get("parameters")
    size = f" with {parameters:,} parameters" if parameters else ""
    return f"""# {info["name"]}, {len(info["classes"])} classes

An image classifier: the network `{info["name"]}`{size}. It takes one picture, brings it to
{spec["height"]}×{spec["width"]} pixels with {spec["channels"]} channel(s) (resize: {spec["resize"]}),
and gives a probability for each class.

Classes: {_classes(info["classes"])}
"""


def _data(counts: Mapping[str, int]) -> str:
    return f"""## Data

| split | samples |
| --- | ---: |
| train | {counts["train"]:,} |
| validation (choice of the epoch) | {counts["val"]:,} |
| test (the figures below) | {counts["test"]:,} |

`samples.parquet` lists every one by content hash. Normalisation was fitted on the training split alone.
"""


def _metrics(info: Mapping[str, Any]) -> str:
    return f"""## Measured on the test split

| metric | value | 95 % interval (bootstrap) |
| --- | ---: | --- |
{_rows(info["metrics"], language=0)}
"""


def _use(info: Mapping[str, Any]) -> str:
    return f"""## Use and limits

For pictures like those it was trained on. It always answers with one of its {len(info["classes"])}
classes, also for a picture that shows none of them; its probabilities are not calibrated. The figures
say nothing about other cameras, other sources or later times: measure again there before you rely on it.

```
pip install -r requirements.txt
python code/predictor.py picture.png
```

or, from the registry, `convoy predict picture.png`, or `mlflow.pyfunc.load_model(...)` on a table with a
column `image` of encoded pictures (bytes). Nothing of this needs torch.
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


def _chinese(info: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    return f"""## 中文摘要

图像分类模型 `{info["name"]}`，共 {len(info["classes"])} 个类别。
训练样本 {counts["train"]:,} 个，验证样本 {counts["val"]:,} 个，测试样本 {counts["test"]:,} 个。

| 指标（测试集） | 数值 | 95% 置信区间 |
| --- | ---: | --- |
{_rows(info["metrics"], language=1)}

适用于与训练数据相似的图片；对不属于任何类别的图片也会给出一个类别，概率未经校准。
用法：`pip install -r requirements.txt`，然后运行 `python code/predictor.py 图片.png`（不需要 torch）。
"""


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
