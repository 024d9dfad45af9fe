"""The note on a run's page: result, parameters and digests at a glance."""

from collections.abc import Mapping
from typing import Any

_ROWS = (
    "accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1",
    "roc_auc", "log_loss", "ece", "micro_f1", "mean_ap", "subset_accuracy",
    "nme", "pck_10", "mae", "rmse", "r2",
)  # fmt: skip


def render(training: Mapping[str, Any], metrics: Mapping[str, Any], name: str) -> str:
    """Markdown for the tag mlflow.note.content."""
    best = training.get("best_epoch")
    epochs = f", best epoch {best + 1} of {training['epochs_run']}" if best is not None else ""
    if training.get("ended_by") == "fit":
        epochs = ", fitted at once"
    return f"""### {name}

`{training["model"]["name"]}` on {training.get("device", "?")}, {training.get("precision", "?")}{epochs}.

{_table(metrics)}

| | |
| --- | --- |
| training key | `{training["key"]}` |
| data digest | `{training.get("data_digest", "unknown")}` |
| torch | {training.get("torch", "unknown")} |

- **Artifacts → evaluation → report.html**: what the model gets wrong, pictures first; beside it the
  predictions and the tables that it was made from
- **Model metrics**: curves by epoch; **System metrics**: the machine meanwhile
- `convoy compare {training["key"][:8]} OTHER` compares it at the terminal
"""


def _table(metrics: Mapping[str, Any]) -> str:
    lines = ["| test | value | 95 % interval | validation |", "| --- | ---: | --- | ---: |"]
    for name in _ROWS:
        if name in metrics["test"]:
            low_high = metrics.get("intervals", {}).get(name)
            interval = f"{low_high[0]:.4f} – {low_high[1]:.4f}" if low_high else ""
            val = metrics.get("val", {}).get(name)
            shown = f"{val:.4f}" if val is not None else ""
            lines.append(f"| {name} | **{metrics['test'][name]:.4f}** | {interval} | {shown} |")
    return "\n".join([*lines, *_against_baseline(metrics)])


def _of_baseline(found: Mapping[str, Any]) -> float:
    """Its main figure."""
    return float(next(found[name] for name in ("accuracy", "macro_f1", "nme", "mae") if name in found))


def _against_baseline(metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("baseline", {})
    if "difference" not in found:
        return []
    low, high = found["interval"]
    return [
        "",
        f"Against the baseline `{found['name']}` ({_of_baseline(found):.4f}): "
        f"**{found['difference']:+.4f}** [{low:+.4f}, {high:+.4f}]",
    ]
