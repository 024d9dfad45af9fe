"""A bundle becomes a version of the registered model, once, and the gate decides about its aliases."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from convoy import plugins, provenance
from convoy.bundle import contents
from convoy.errors import GateRefused, IntegrityError
from convoy.gate import doubts
from convoy.gate import verdict as gate
from convoy.gate.rules import Doubt
from convoy.io import sha256_bytes
from convoy.layout import BUNDLE
from convoy.registry import promotion, runs, versions
from convoy.registry.client import connect, lock, reached, tracking_uri

if TYPE_CHECKING:
    from convoy.config.schema import Config


@dataclass(frozen=True)
class Receipt:
    """What registration did.

    Attributes:
        status: champion, challenger or refused: what the gate said about this bundle, now or earlier.
        new: this call made the version.
        verdict: of the gate, with all numbers (gate.Verdict as a dict).
    """

    name: str
    version: str
    status: str
    new: bool
    bundle: str
    run_id: str
    verdict: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def refusal(self) -> GateRefused | None:
        """The error that tells of a refusal (exit 6); None for a champion or challenger."""
        if self.status != "refused":
            return None
        return GateRefused(
            f"{self.name} version {self.version} is registered but not promoted: {self.verdict['reason']}",
            fix=self.verdict["fix"] or "train a better model; `convoy registry show` tells the numbers",
        )


def register(root: Path, config: "Config", run_id: str) -> Receipt:
    """Register artifacts/bundle and let the gate decide. The same bundle never becomes two versions.

    Args:
        run_id: the MLflow run that trained it, as `tracking.sync` returns it.

    Raises:
        IntegrityError: the bundle is incomplete, is of another run, or its pyfunc form disagrees with torch.
        DataError: the test data that the gate needs are missing.
        ResourceError: the server cannot be reached.
    """
    bundle, name = root / BUNDLE, config.registration.model
    info, digest = contents.info(bundle), contents.digest(bundle)
    client = connect(root)
    with reached(tracking_uri(root)), lock(root, "registry"):
        versions.ensure_model(client, name)
        promotion.recover(client, name)
        found = versions.find(client, name, digest)
        made = provenance.collect(root)
        version = found or _create(client, name, bundle, info, digest, run_id, made)
        verdict = promotion.stored_verdict(version)
        if verdict is None or not verdict.final:
            tree, data = doubts.of_tree(made), doubts.of_data(root, config.data.path)
            if verdict is None or not _as_before(verdict, tree, data):
                _refresh_lineage(client, version, made)
                verdict = promotion.settle(client, root, config, version, bundle, tree, data)
    return Receipt(
        name, str(version.version), verdict.status, found is None, digest, version.run_id, verdict.as_dict()
    )


def _as_before(verdict: gate.Verdict, tree: Doubt, data: Doubt) -> bool:
    """Whether the very same doubts refused it before: no second entry in the ledger for them."""
    failed = {row["rule"]: row["said"].rstrip("…") for row in verdict.rules if row["outcome"] == "failed"}
    now = {rule: doubt.reason for rule, doubt in (("tree", tree), ("data", data)) if doubt.reason}
    return bool(now) and failed.keys() == now.keys() and all(now[r].startswith(failed[r]) for r in now)


def _create(
    client: Any,
    name: str,
    bundle: Path,
    info: dict[str, Any],
    digest: str,
    run_id: str,
    made: dict[str, Any],
) -> Any:
    run = client.get_run(run_id)
    key = info["provenance"]["key"]
    if run.data.tags.get(runs.KEY_TAG) != key:
        raise IntegrityError(
            f"the bundle is of training {key}, the run of {run.data.tags.get(runs.KEY_TAG)}",
            where=str(bundle),
            fix="run `convoy run`, which brings both together",
        )
    tags = {versions.BUNDLE_TAG: digest, **_lineage(bundle, info, run_id), **provenance.tags(made)}
    flow = flow_run()
    if flow:
        tags[versions.FLOW_TAG] = flow
        client.set_tag(run_id, versions.FLOW_TAG, flow)
    return versions.create(client, name, bundle, run, tags, _description(info))


def _refresh_lineage(client: Any, version: Any, made: dict[str, Any]) -> None:
    """The commit that the gate looked at, on the version and, with the diff, in its run."""
    for tag, value in provenance.tags(made).items():
        if version.tags.get(tag) != value:
            client.set_model_version_tag(version.name, version.version, tag, value)
    if runs.is_active(client, version.run_id):
        text = json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False)
        client.log_text(version.run_id, text, f"gate/{version.name}-{version.version}-provenance.json")


def _lineage(bundle: Path, info: dict[str, Any], run_id: str) -> dict[str, str]:
    """What the version came from, as far as the bundle knows."""
    samples = pd.read_parquet(bundle / "samples.parquet")
    tests = samples.loc[samples["split"] == "test", ["id", "target"]].sort_values("id")
    test_set = sha256_bytes("".join(f"{i} {t}\n" for i, t in tests.to_numpy()).encode())
    return {
        "convoy.run": run_id,
        "convoy.key": str(info["provenance"]["key"]),
        "convoy.data_digest": str(info["provenance"].get("data_digest", "unknown")),
        "convoy.params_digest": sha256_bytes(json.dumps(info["params"], sort_keys=True).encode()),
        "convoy.test_set": test_set,
        "convoy.seed": str(info["provenance"].get("seed", "unknown")),
    }


def flow_run() -> str:
    """The id of the Prefect flow run that this happens in; empty outside of one."""
    given = os.environ.get("PREFECT__FLOW_RUN_ID", "")
    if not given and "prefect" in sys.modules:  # a flow has imported it; nobody else waits for that
        from prefect.runtime import flow_run as current

        given = str(current.id or "")
    return given


def _description(info: dict[str, Any]) -> str:
    test = info["metrics"]["test"]
    shown = ("accuracy", "subset_accuracy", "macro_f1", "nme", "mae", "r2")
    figures = ", ".join(f"{name} {test[name]:.4f}" for name in shown if name in test)
    describing = plugins.load("describing", info["params"].get("objective", {}).get("name", "classification"))
    return f"{info['name']}, {describing.CARD.title(info)}; test {figures}"
