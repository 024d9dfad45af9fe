"""Stage `validate`: the gate on the data. Bad samples are left out by name; errors or too many stop it."""

import csv
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from convoy import io, layout, plugins
from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import labelling, manifest, opening
from convoy.data.checks import changes
from convoy.data.checks._base import Check, Context, Finding, Known, number
from convoy.errors import DataError
from convoy.evaluation import data_report

if TYPE_CHECKING:
    from convoy.config.schema import Config

_NAMED = 20
_COLUMNS = ("id", "path", "target", "check", "policy", "reason", "detail", "other")
_QUARANTINE = ["path", "target", "reason", "detail"]
_WHOLE = {"classes": "error"}  # checks without a policy of their own


@dataclass
class _Outcome:
    """What the checks said.

    Attributes:
        kept: rows of the samples that stay.
        findings: one row a finding: _COLUMNS, and `row` (of the sample; -1: of the whole).
        told: findings that are told and not written, since they depend on what this checkout saw before.
        suggestions: of the check that doubts labels; None: it is off, or the modality has none.
    """

    kept: pd.DataFrame
    findings: pd.DataFrame
    told: pd.DataFrame
    suggestions: pd.DataFrame | None = None


def validate(
    ingested: Path,
    data: DataConfig,
    config: ValidateConfig,
    *,
    out: Path,
    base: Path = Path(),
    processes: int | None = None,
) -> None:
    """Run all checks over the samples.

    Writes findings.parquet, quarantine.csv, labels.html and fixes.csv (labels to look at, where the modality
    can doubt them), report.html, report.json and, if the data pass, samples.parquet (last).

    Args:
        ingested: the folder of `ingest`.
        data: section `data`.
        config: section `validate`.
        out: the folder to write.
        base: the project's root; caches lie below it.
        processes: that open samples; default: all cores.

    Raises:
        DataError: a check whose policy is `error` found something, more than `max_bad_fraction` of the
            samples are left out, or the classes are unusable. The report is written all the same.
        IntegrityError: the table of `ingest` is missing or damaged.
    """
    samples = manifest.read(ingested)
    source = manifest.read_facts(ingested / "source.json")
    kind = plugins.load("checking", data.modality)
    seen = kind.facts(samples, data, config, base, processes=processes)
    context = Context(
        config=config,
        classes=source["classes"],
        facts=seen,
        ids=samples["id"].tolist(),
        noun=kind.NOUN,
        task=source.get("task", "classification"),
        points=source.get("points", []),
        separator=source.get("separator", ""),
        base=base,
        before=changes.last(data, base) if config.checks.changes != "off" else None,
    )
    outcome = _checked(samples.join(seen.table), context, kind)
    problems = _problems(outcome, len(samples), config)
    io.fresh_dir(out)
    _write_findings(out, outcome)
    look = plugins.load("data_view", data.modality).Look(samples, opening.reader(data, base), context)
    if outcome.suggestions is not None:
        look.write_doubts(out, outcome.suggestions)
    report = _report(samples, outcome, problems, source, context, kind)
    page = data_report.render(_page(samples, outcome, report, source, context, look, kind.NOUNS))
    io.write_text(out / "report.html", page)
    io.write_json(out / "report.json", report)
    _tell(seen, len(samples), outcome, kind)
    if problems:
        raise _refusal(problems, outcome, out / "report.html")
    manifest.write(out, _table(samples, outcome, context, kind.FACTS))
    changes.accept(outcome.kept, data, base)


def _checked(samples: pd.DataFrame, context: Context, kind: ModuleType) -> _Outcome:
    """Run the checks in their order; each sees what the earlier ones did not leave out."""
    rows: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    proposed = None
    opens = samples["reason"].isna()
    kept = pd.Series(True, index=samples.index)
    for check in (*kind.CHECKS, *kind.LAST):
        policy = _policy(check, context.config)
        if policy == "off":
            continue
        given = samples[kept if check in kind.OPENING else kept & opens]
        found = check.run(given, context)
        if check is kind.doubts:
            proposed = kind.doubts.listed(given, context)
        (told if check is changes else rows).extend(_row(each, check.NAME, policy, samples) for each in found)
        if policy == "quarantine":
            left_out = [each.row for each in found if each.row is not None and not each.mild]
            kept[left_out] = False
    return _Outcome(samples[kept & opens], _frame(rows), _frame(told), proposed)


def _policy(check: Check, config: ValidateConfig) -> str:
    return _WHOLE.get(check.NAME) or str(getattr(config.checks, check.NAME))


def _row(finding: Finding, check: str, policy: str, samples: pd.DataFrame) -> dict[str, Any]:
    row = finding.row
    one = {name: None if row is None else samples.at[row, name] for name in ("id", "path", "target")}
    return {
        **one,
        "check": check,
        "policy": "warn" if finding.mild or (row is None and policy == "quarantine") else policy,
        "reason": finding.reason,
        "detail": finding.detail,
        "other": finding.other or None,
        "row": -1 if row is None else row,
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*_COLUMNS, "row"])


def _problems(outcome: _Outcome, count: int, config: ValidateConfig) -> list[str]:
    """Sentences; one of them is enough to stop the run."""
    problems = []
    left_out = int((outcome.findings["policy"] == "quarantine").sum())
    fraction = left_out / count
    if fraction > config.max_bad_fraction:
        problems.append(
            f"{left_out} of {count} samples are bad ({fraction:.1%}), "
            f"more than validate.max_bad_fraction = {config.max_bad_fraction:g} allows"
        )
    for check, found in _errors(outcome).groupby("check", sort=False):
        whole = found["row"] < 0
        details = found.loc[whole, "detail"].tolist()
        problems += details[:_NAMED]
        if len(details) > _NAMED:
            problems.append(f"and {number(len(details) - _NAMED)} more of this kind")
        if not whole.all():
            problems.append(f"{check}: {_counted(int((~whole).sum()), 'sample')}")
    return problems


def _errors(outcome: _Outcome) -> pd.DataFrame:
    every = pd.concat([outcome.findings, outcome.told]) if len(outcome.told) else outcome.findings
    return every[every["policy"] == "error"]


def _counted(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def _table(
    samples: pd.DataFrame, outcome: _Outcome, context: Context, facts: tuple[str, ...]
) -> pd.DataFrame:
    """The samples that stay, with what is known of them."""
    kept = outcome.kept
    table = kept[[*samples.columns.drop("problem", errors="ignore"), *facts]].copy()
    if context.config.checks.near_duplicates != "off":
        clusters = context.clusters(kept)
        if len(clusters):
            table["twins"] = (
                clusters.reindex(table.index).astype(object).where(lambda names: names.notna(), None)
            )
    return table.reset_index(drop=True)


def _report(
    samples: pd.DataFrame,
    outcome: _Outcome,
    problems: list[str],
    source: dict[str, Any],
    context: Context,
    kind: ModuleType,
) -> dict[str, Any]:
    kept, classes = outcome.kept, context.classes
    quarantined = outcome.findings[outcome.findings["policy"] == "quarantine"]
    facts = {"task": context.task, "separator": context.separator}
    good, bad = (labelling.counts(some, classes, facts) for some in (kept, quarantined))
    return {
        "samples": len(samples),
        "kept": len(kept),
        "quarantined": len(quarantined),
        "quarantined_fraction": len(quarantined) / len(samples),
        "reasons": dict(Counter(quarantined["reason"])),
        "findings": {
            str(check): {str(policy): int(count) for policy, count in found["policy"].value_counts().items()}
            for check, found in outcome.findings.groupby("check")
        },
        "classes": classes,
        "per_class": {name: {"kept": good[name], "quarantined": bad[name]} for name in classes},
        **kind.summary(kept),
        "task": context.task,
        "points": context.points,
        "separator": context.separator,
        "notes": source.get("notes", []),
        "problems": problems,
    }


def _page(
    samples: pd.DataFrame,
    outcome: _Outcome,
    report: dict[str, Any],
    source: dict[str, Any],
    context: Context,
    look: data_report.Look,
    things: str,
) -> data_report.Inputs:
    problems = [each for each in report["problems"] if each not in set(outcome.told["detail"])]
    return data_report.Inputs(
        source=source.get("source", ""),
        samples=samples.join(context.facts.table),
        kept=outcome.kept.index,
        findings=outcome.findings,
        classes=context.classes,
        problems=problems,
        notes=[*report["notes"], *_ignored(source.get("ignored", {}))],
        look=look,
        things=things,
    )


def _ignored(ignored: dict[str, Any]) -> list[str]:
    count, examples = ignored.get("count", 0), ignored.get("examples", [])
    if not count:
        return []
    more = f" and {number(count - len(examples))} more" if count > len(examples) else ""
    return [f"{_counted(count, 'file')} not taken for data: {', '.join(examples)}{more}"]


def _write_findings(out: Path, outcome: _Outcome) -> None:
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    table = pa.Table.from_pandas(outcome.findings[list(_COLUMNS)], schema=schema, preserve_index=False)
    with io.atomic_path(out / "findings.parquet") as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")
    quarantined = outcome.findings[outcome.findings["policy"] == "quarantine"]
    with (
        io.atomic_path(out / "quarantine.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as handle,
    ):
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_QUARANTINE)
        writer.writerows(quarantined[_QUARANTINE].itertuples(index=False, name=None))


def _tell(seen: Known, count: int, outcome: _Outcome, kind: ModuleType) -> None:
    quarantined = int((outcome.findings["policy"] == "quarantine").sum())
    found = _counted(len(outcome.findings), "finding") + (
        f" ({number(quarantined)} quarantined)" if quarantined else ""
    )
    lines = [
        f"validate: {_counted(count, kind.NOUN)}, {number(seen.opened)} opened, {number(seen.known)} known; "
        f"{found}"
    ]
    lines += [
        f"validate: since the data that were accepted last, {detail}" for detail in outcome.told["detail"]
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _refusal(problems: list[str], outcome: _Outcome, report: Path) -> DataError:
    """Names samples of errors first, then those that were left out."""
    errors = _errors(outcome)
    quarantined = outcome.findings[outcome.findings["policy"] == "quarantine"]
    named = pd.concat([errors, quarantined])
    named = named[named["row"] >= 0]
    lines = list(problems)
    lines += [
        f"{path}: {reason}, {detail}"
        for path, reason, detail in named[["path", "reason", "detail"]]
        .head(_NAMED)
        .itertuples(index=False, name=None)
    ]
    if len(named) > _NAMED:
        counts = ", ".join(
            f"{check} {number(count)}" for check, count in named["check"].value_counts(sort=False).items()
        )
        lines.append(f"and {number(len(named) - _NAMED)} more ({counts} in all)")
    stopping = errors[(errors["row"] >= 0)]["check"].unique().tolist()
    leave_out = f", or let them be left out (validate.checks.{stopping[0]}: quarantine)" if stopping else ""
    return DataError(
        "the data do not pass\n" + "\n".join(f"  {line}" for line in lines),
        where=str(report),
        fix="mend or remove these samples, or use data/fixes.csv (`convoy data fix`, `convoy data drop`)"
        f"{leave_out}; findings.parquet beside the report lists them all",
    )


def main(config: "Config") -> None:
    validate(layout.INGEST, config.data, config.validation, out=layout.VALIDATE)
