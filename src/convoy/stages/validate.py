"""Stage `validate`: the gate on the data. Bad samples are quarantined by name; too many stop the run."""

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from convoy import io, layout, plugins
from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import manifest
from convoy.data.checks import CHECKS
from convoy.data.checks._base import FINDING_COLUMNS, Context
from convoy.errors import DataError

if TYPE_CHECKING:
    from convoy.config.schema import Config

_NAMED = 10
Finding = tuple[str, str, str, str]  # FINDING_COLUMNS


def validate(ingested: Path, data: DataConfig, config: ValidateConfig, *, out: Path) -> None:
    """Run all checks over the samples.

    Writes quarantine.csv, report.json and, if the data pass, samples.parquet (last).

    Raises:
        DataError: more than `max_bad_fraction` of the samples are bad, or the classes are unusable. The
            report is written all the same.
        IntegrityError: the table of `ingest` is missing or damaged.
    """
    samples = manifest.read(ingested)
    classes: list[str] = manifest.read_facts(ingested / "source.json")["classes"]
    context = Context(
        read=plugins.load("source", data.source).reader(Path(data.path)),
        classes=classes,
        max_pixels=config.max_pixels,
        min_per_class=config.min_per_class,
    )
    kept, findings, problems = _checked(samples, context)
    fraction = len(findings) / len(samples)
    if fraction > config.max_bad_fraction:
        problems.insert(
            0,
            f"{len(findings)} of {len(samples)} samples are bad ({fraction:.1%}), "
            f"more than validate.max_bad_fraction = {config.max_bad_fraction:g} allows",
        )
    io.fresh_dir(out)
    _write_quarantine(out / "quarantine.csv", findings)
    io.write_json(out / "report.json", _report(samples, kept, findings, problems, classes))
    if problems:
        raise _refusal(problems, findings, out / "report.json")
    manifest.write(out, kept)


def _checked(samples: pd.DataFrame, context: Context) -> tuple[pd.DataFrame, list[Finding], list[str]]:
    """The samples that all checks kept, the others with reasons, and the problems of the whole."""
    findings: list[Finding] = []
    problems: list[str] = []
    for check in CHECKS:
        verdict = check.run(samples, context)
        problems += verdict.problems
        findings += [
            (samples["path"][row], samples["target"][row], *verdict.bad[row]) for row in sorted(verdict.bad)
        ]
        samples = pd.concat([samples, pd.DataFrame(verdict.columns, index=samples.index)], axis=1)
        samples = samples.drop(index=list(verdict.bad)).reset_index(drop=True)
    return samples, findings, problems


def _report(
    samples: pd.DataFrame,
    kept: pd.DataFrame,
    findings: list[Finding],
    problems: list[str],
    classes: list[str],
) -> dict[str, Any]:
    good = manifest.counts(kept, classes)
    bad = Counter(target for _, target, _, _ in findings)
    return {
        "samples": len(samples),
        "kept": len(kept),
        "quarantined": len(findings),
        "quarantined_fraction": len(findings) / len(samples),
        "reasons": dict(Counter(reason for _, _, reason, _ in findings)),
        "classes": classes,
        "per_class": {name: {"kept": good[name], "quarantined": bad[name]} for name in classes},
        "sizes": {
            side: {"min": int(kept[side].min()), "max": int(kept[side].max())}
            for side in ("width", "height")
            if len(kept)
        },
        "modes": {str(mode): int(count) for mode, count in kept["mode"].value_counts().items()},
        "problems": problems,
    }


def _write_quarantine(path: Path, findings: list[Finding]) -> None:
    with io.atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(FINDING_COLUMNS)
        writer.writerows(findings)


def _refusal(problems: list[str], findings: list[Finding], report: Path) -> DataError:
    lines = [*problems]
    lines += [f"{path}: {reason}, {detail}" for path, _, reason, detail in findings[:_NAMED]]
    if len(findings) > _NAMED:
        lines.append(f"and {len(findings) - _NAMED} more")
    return DataError(
        "the data do not pass\n" + "\n".join(f"  {line}" for line in lines),
        where=str(report),
        fix="mend or remove these samples; quarantine.csv beside the report lists them all",
    )


def main(config: "Config") -> None:
    validate(layout.INGEST, config.data, config.validation, out=layout.VALIDATE)
