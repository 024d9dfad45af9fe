"""report.html of autoencoders."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from convoy.config.evaluate import EvaluateConfig
from convoy.evaluation import latent, measured
from convoy.evaluation.charts import Line, chart
from convoy.evaluation.gallery import Sample
from convoy.evaluation.measured import Section, Tile
from convoy.evaluation.objectives._base import Subject

_NAMES = {
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "probe_accuracy": "accuracy of a linear model on the code",
}
_MOST = 8  # reconstructions on the page


def render(
    subject: Subject,
    metrics: Mapping[str, Any],
    config: EvaluateConfig,
    *,
    worst: pd.DataFrame,
    shown: NDArray[np.uint8],
    some: NDArray[np.uint8],
    plane: bytes,
    sliced: pd.DataFrame,
    damaged: pd.DataFrame,
    error: NDArray[np.float64],
    limit: float,
) -> str:
    """The page.

    Args:
        worst: rows of the predictions table; `shown`: their pictures, of `latent.stacked`.
        some: other test samples, as `shown`.
        plane: the codes, a PNG.
        error: of the test samples, (N,).
        limit: above which a sample is called anomalous.
    """
    worst_samples = [
        Sample(
            image=image,
            caption=f"error {row['error']:.4f}",
            detail=str(row.get("label", "")),
            source=str(row["path"]),
        )
        for image, (_, row) in zip(shown, worst.iterrows(), strict=True)
    ]
    anomaly = metrics["anomaly"]
    sections = [
        Section(
            "reconstructions",
            "Reconstructions",
            "Test samples above what the decoder makes of their codes, evenly from the split; more are in "
            "details/reconstructions.png.",
            samples=[
                Sample(image=image, caption="") for image in some[:: max(1, len(some) // _MOST)][:_MOST]
            ],
        ),
        Section(
            "latent",
            "The codes",
            "The codes of test samples along their first two principal components"
            + (", coloured by label, which was not learned." if "probe" in metrics else "."),
            charts=[{"name": "", "legend": [], "chart": latent.inline(plane, "The codes in the plane")}],
        ),
        Section(
            "features",
            "As features",
            "Accuracy on the test split of a logistic regression that learned from the training split.",
            table=_features(metrics.get("probe") or {}),
        ),
        Section(
            "anomalies",
            "Anomalies",
            f"How many of the test samples have an error of at most so much. Above {limit:.4f} a sample is "
            f"called anomalous: {1 - anomaly['quantile']:.0%} of validation is, and "
            f"{anomaly['test_share']:.1%} of test.",
            charts=[{"name": "Share of samples", "legend": [], "chart": _cumulative(error)}],
        ),
        Section(
            "worst", "The largest errors", "Original above, reconstruction below.", samples=worst_samples
        ),
        Section("slices", "Slices", "Mean error on parts of the test split, the worst first.", table=sliced),
        Section(
            "robustness",
            "Robustness",
            "Samples damaged on purpose: how far their reconstructions are from the undamaged samples.",
            table=damaged,
        ),
    ]
    return measured.render(
        subject,
        metrics,
        _NAMES,
        tiles=_tiles(metrics, config),
        findings=_findings(metrics),
        sections=sections,
        confidence=config.confidence,
    )


def _tiles(metrics: Mapping[str, Any], config: EvaluateConfig) -> list[Tile]:
    test, confidence = metrics["test"], f"{100 * config.confidence:g} % interval"
    low, high = metrics["intervals"]["mse"]
    tiles = [Tile("Mean squared error", f"{test['mse']:.5f}", f"{confidence} {low:.5f} – {high:.5f}")]
    if "ssim" in test:
        tiles.append(Tile("SSIM", f"{test['ssim']:.4f}", "1: the same picture"))
    if found := metrics.get("probe"):
        low, high = found["accuracy_interval"]
        said = f"linear, {found['features']} features; {confidence} {low:.4f} – {high:.4f}"
        tiles.append(Tile("Labels from the code", f"{found['accuracy']:.4f}", said))
    return tiles


def _findings(metrics: Mapping[str, Any]) -> list[str]:
    findings = []
    if found := metrics.get("baseline"):
        low, high = found["interval"]
        who = (
            f"{found['components']} principal components of the training split have"
            if found["name"] == "pca"
            else "The training split's mean picture has"
        )
        findings.append(
            f"{who} a mean squared error of {found['mse']:.5f}: the model's is smaller by "
            f"{found['difference']:.5f} [{low:.5f}, {high:.5f}]."
        )
    if found := metrics.get("probe"):
        low, high = found["interval"]
        findings.append(
            f"A linear model names the label from the code in {found['accuracy']:.2%} of the test samples, "
            f"from as many principal components in {found['pca_accuracy']:.2%}: a difference of "
            f"{100 * found['difference']:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]."
        )
    return findings


def _features(found: Mapping[str, Any]) -> pd.DataFrame:
    if not found:
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "features": [f"code of {found['features']} numbers", f"{found['features']} principal components"],
            "accuracy": [found["accuracy"], found["pca_accuracy"]],
            "trained on": [int(found["trained_on"])] * 2,
        }
    )


def _cumulative(error: NDArray[np.float64]) -> Markup:
    shares = np.linspace(0, 1, 101)
    ends = np.quantile(error, shares)
    most = float(np.quantile(error, 0.99)) or 1.0
    line = [(float(x), float(y)) for x, y in zip(ends, shares, strict=True) if x <= most]
    return chart(
        [Line(line, sizes=[0.1] * len(line))],
        x=(0.0, most),
        y=(0.0, 1.0),
        x_label="error",
        title="share of samples with an error of at most",
        percent=True,
    )
