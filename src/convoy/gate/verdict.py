"""The gate: evidence in, verdict out. It knows neither MLflow nor files (docs/decisions/0006-the-gate.md).

Any rule that fails refuses the model, whatever the others say. One that passes them all becomes champion if
there is none, or if it beats the champion on the same samples; else challenger.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from convoy.gate import rules
from convoy.gate.rules import Evidence, Finding

if TYPE_CHECKING:
    from convoy.config.register import GateConfig

Status = Literal["champion", "challenger", "refused"]

SHORT = 3000  # characters of `Verdict.short`: it fits a tag of 5,000 with a ledger entry around it
_SAID = (200, 120, 60, 0)  # characters of what a rule says, until it fits


@dataclass(frozen=True)
class Verdict:
    """What was decided, and every number that led to it.

    Attributes:
        rule: what decided: the first rule that failed, or first, held, better, not_better, incomparable,
            override.
        reason: that rule in words, with the numbers.
        minimum: of the metric; of an error its maximum.
        value: of the metric on the current test samples, or as recorded where it was not measured again.
        fix: what the user can do; empty where nothing is to be done.
        final: false where the same bundle may pass later (an uncommitted change, a busy machine).
        comparison: of `Scores.compare`; empty where nothing was compared.
        rules: every rule's `Finding` as a dict.
    """

    status: Status
    rule: str
    reason: str
    metric: str
    value: float | None
    minimum: float
    margin: float
    fix: str = ""
    final: bool = True
    champion: str | None = None
    comparison: dict[str, Any] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def short(self) -> dict[str, Any]:
        """The same for a tag: the rules keep outcome and words, which are cut where they are too many."""
        for length in _SAID:
            kept = [
                {"rule": row["rule"], "outcome": row["outcome"], "said": _cut(row["said"], length)}
                for row in self.rules
            ]
            reason, fix = _cut(self.reason, 500), _cut(self.fix, 200)
            found = replace(self, reason=reason, fix=fix, rules=kept).as_dict()
            if len(json.dumps(found, ensure_ascii=False)) <= SHORT:
                break
        return found


def judge(config: "GateConfig", found: Evidence, *, by_hand: bool = False) -> Verdict:
    """Let every rule look at the evidence.

    Args:
        by_hand: a person asks for the promotion, so `first: hold` does not hold it back.
    """
    findings = [rule(config, found) for rule in rules.RULES]
    findings.append(rules.better(config, found))
    status, rule, reason, fix, final = _decide(config, found, findings, by_hand)
    value = rules.measured(config, found)
    comparison = dict(found.comparison or {})
    if found.champion is not None and found.scores is not None:
        comparison = {"samples": 0, **comparison, "left_out": found.scores.left_out}
    return Verdict(
        status,
        rule,
        reason,
        config.metric,
        rules.recorded(config, found) if value is None else value,
        config.bound,
        config.margin,
        fix,
        final,
        found.champion,
        comparison,
        [finding.as_dict() for finding in findings],
    )


def override(verdict: Verdict, why: str) -> Verdict:
    """The verdict of a person who promotes it all the same."""
    said = f"override: {why} (the gate said: {verdict.reason})"
    return replace(verdict, status="champion", rule="override", reason=said, fix="", final=True)


def _decide(
    config: "GateConfig", found: Evidence, findings: Sequence[Finding], by_hand: bool
) -> tuple[Status, str, str, str, bool]:
    """Status, rule, reason, fix, final."""
    *required, better = findings
    failed = [finding for finding in required if finding.outcome == "failed"]
    if failed:
        others = f" (also: {', '.join(each.rule for each in failed[1:])})" if failed[1:] else ""
        final = any(each.final for each in failed)
        return "refused", failed[0].rule, failed[0].said + others, failed[0].fix, final
    if found.champion is None:
        passed = f"the first model that passes; {_finding(required, 'minimum').said}"
        if config.first == "hold" and not by_hand:
            fix = "`convoy registry promote NAME VERSION` makes it champion"
            return "challenger", "held", f"{passed}; register.gate.first holds it", fix, True
        return "champion", "first", passed, "", True
    if found.comparison is None:
        said = "no test sample is left that neither model learned from"
        fix = "`convoy registry promote NAME VERSION --override REASON` decides by hand"
        return "challenger", "incomparable", said, fix, True
    shared = _finding(required, "comparable").numbers
    partly = shared.get("only_challenger") or shared.get("only_champion")
    note = f" ({_finding(required, 'comparable').said})" if partly else ""
    reason = f"{config.metric} {better.said}{note}"
    if better.outcome == "passed":
        return "champion", "better", reason, "", True
    return "challenger", "not_better", reason, "", True


def _finding(findings: Sequence[Finding], rule: str) -> Finding:
    return next(finding for finding in findings if finding.rule == rule)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(0, length - 1)] + "…" if length else ""
