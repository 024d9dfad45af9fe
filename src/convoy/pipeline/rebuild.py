"""`convoy reproduce`: the stages of a registered version run again from its commit, in their own worktree."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from convoy import environment, provenance
from convoy.config.engine import TRAIN_AS
from convoy.environment import default_tracking_uri
from convoy.errors import ResourceError
from convoy.io import write_text
from convoy.layout import BUNDLE
from convoy.pipeline import dag
from convoy.pipeline.repro import Outcome, repro
from convoy.proof import objects, origin, reproduce, supply, surroundings, worktree
from convoy.proof.origin import Origin
from convoy.proof.reproduce import Difference, Reproduction
from convoy.proof.supply import Supplied
from convoy.proof.worktree import Worktree

Say = Callable[[str], None]

LAST = "package"  # the stage that makes the bundle
_TABLES = ("ingest", "validate", "split")  # after these the samples are known
_STAGE_SECONDS = 24 * 3600.0


def rebuild(
    root: Path,
    client: Any,
    reference: str,
    *,
    tolerance: float = reproduce.TOLERANCE,
    keep: Path | None = None,
    say: Say = lambda _text: None,
) -> Reproduction:
    """Build a registered version again and compare.

    Args:
        root: the project in this clone; neither its files nor its cache are touched.
        client: of the registry.
        reference: models:/NAME@ALIAS or models:/NAME/VERSION.
        tolerance: the largest difference of a probability that still counts as reproduced.
        keep: a new folder for the worktree, which is then not removed.
        say: receives progress and warnings, line by line.

    Raises:
        ConfigError: there is no such version.
        IntegrityError: the registered files, or data of the cache, were altered.
        ResourceError: the commit or the data are not to be had, or a stage lacked something.
    """
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        made = origin.of(client, reference, Path(scratch))
        say(f"{made.name} version {made.version}, commit {made.commit[:12]}, bundle {made.digest[:12]}")
        with worktree.laid_out(root, made.commit, made.patch, keep) as tree, worktree.own_state(tree):
            return _rebuild(root, made, tree, tolerance, say)


def _rebuild(root: Path, made: Origin, tree: Worktree, tolerance: float, say: Say) -> Reproduction:
    lock_file = tree.project / provenance.DVC_LOCK
    lock = origin.with_lock_of(made, lock_file.read_text("utf-8") if lock_file.is_file() else "")
    lock_file.unlink(missing_ok=True)  # no stage is up to date
    notes = [*_unrecorded(made, lock), *surroundings.differences(made, tree.project)]
    for note in notes:
        say(f"note: {note}")
    data = supply.supply(root, tree, lock, say)
    for each in data:
        say(f"data: {each.path} from {each.origin}")
    order = _order(tree.project)
    times: list[tuple[str, float]] = []
    failure = ""
    with _cores(made):
        for stage, seconds, outcome in _run(tree, order, {**_variables(tree.project), **_engine(made)}, say):
            times.append((stage, seconds))
            if outcome.code == ResourceError.exit_code:
                raise ResourceError(f"stage {stage}: {outcome.message}", where=str(tree.project))
            if not outcome.ok:
                failure = f"stage {stage}: {outcome.message}"
                break
            if stage == _TABLES[-1] and reproduce.sample_changes(made.bundle, tree.project):
                say("the samples differ: the stages after this one need not run")
                break
    return _compare(root, made, tree, lock, order, tolerance, times, data, notes, failure)


def _compare(
    root: Path,
    made: Origin,
    tree: Worktree,
    lock: Mapping[str, Any] | None,
    order: list[str],
    tolerance: float,
    times: list[tuple[str, float]],
    data: list[Supplied],
    notes: list[str],
    failure: str,
) -> Reproduction:
    samples = reproduce.sample_changes(made.bundle, tree.project)
    outputs = reproduce.lock_differences(
        lock,
        provenance.read_yaml(tree.project / provenance.DVC_LOCK),
        order,
        partial(objects.folder_listing, objects.cache_folder(root)),
        partial(objects.folder_listing, tree.cache),
    )
    bundle = tree.project / BUNDLE
    complete = not failure and (bundle / "bundle.json").is_file()
    files = reproduce.bundle_differences(made.bundle, bundle) if complete else []
    first = _first(samples, outputs, files, order, tree.project, times if failure else [])
    told = Reproduction(
        made, "different", first, files, samples, {}, times, [each.as_dict() for each in data], notes, failure
    )
    if not complete:
        return told
    numbers = reproduce.numbers(made.bundle, bundle, tree.project)
    if not files:
        beside = [f"{each.file} differs ({each.stage}); the bundle does not hold it" for each in outputs]
        return replace(told, verdict="bit-identical", first=None, numbers=numbers, notes=[*notes, *beside])
    same = not samples and reproduce.same_recipe(made.bundle, bundle)
    if same and reproduce.within(numbers, tolerance):
        return replace(told, verdict="within tolerance", numbers=numbers)
    return replace(told, numbers=numbers)


def _first(
    samples: list[reproduce.SampleChange],
    outputs: list[Difference],
    files: list[Difference],
    order: list[str],
    project: Path,
    failed: list[tuple[str, float]],
) -> Difference | None:
    """The earliest of everything that differs, in the graph's order; what the lock tells goes before."""
    found = [*outputs, *files]
    if samples:
        stage = reproduce.stage_of(samples, project)
        found.insert(0, Difference(stage, f"artifacts/{stage}/samples.parquet", "", ""))
    if failed:
        found.append(Difference(failed[-1][0], "", "", "failed"))
    known = [each for each in found if each.stage in order]
    return min(known, key=lambda each: order.index(each.stage), default=None)


def _order(project: Path) -> list[str]:
    """The stages that the bundle needs, upstream first."""
    graph = dag.graph(project)
    wanted, pending = set[str](), [LAST]
    while pending:
        stage = pending.pop()
        if stage not in wanted:
            wanted.add(stage)
            pending += graph[stage]
    return [stage for stage in graph if stage in wanted]


def _run(
    tree: Worktree, order: list[str], variables: dict[str, str], say: Say
) -> Iterator[tuple[str, float, Outcome]]:
    """Run one stage after the other with an empty cache; ends after one that fails."""
    log: list[str] = []
    for number, stage in enumerate(order, start=1):
        say(f"[{number}/{len(order)}] {stage} …")
        started = time.monotonic()
        outcome = repro(
            tree.project,
            stage,
            timeout=_STAGE_SECONDS,
            line=log.append,
            options=("--force", "--no-run-cache"),
            variables=variables,
        )
        seconds = time.monotonic() - started
        say(f"[{number}/{len(order)}] {stage} {'done' if outcome.ok else 'failed'} in {seconds:.1f} s")
        write_text(tree.scratch / "stages.log", "\n".join(log) + "\n")
        yield stage, seconds, outcome
        if not outcome.ok:
            return


def _variables(project: Path) -> dict[str, str]:
    """The environment of the stages: the commit's own code, and a tracking store that nobody else sees."""
    own = {**environment.variables(project), "MLFLOW_TRACKING_URI": default_tracking_uri(project)}
    code = project / "src"
    path = [str(code)] if code.is_dir() else []
    path += [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {**own, "PYTHONPATH": os.pathsep.join(path)}


def _engine(made: Origin) -> dict[str, str]:
    """What the run had measured and chosen, which a measurement of today might choose otherwise."""
    provenance_of = made.info.get("provenance", {})
    known = {name: provenance_of.get(name) for name in ("device", "precision", "memory_format", "compile")}
    return {} if None in known.values() else {TRAIN_AS: json.dumps(known)}


@contextmanager
def _cores(made: Origin) -> Iterator[None]:
    """As many cores as there were, where this machine has more: training and evaluation count them."""
    wanted = surroundings.cores_of(made)
    if not hasattr(os, "sched_setaffinity") or not 0 < wanted < surroundings.available_cores():
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:wanted])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _unrecorded(made: Origin, lock: Mapping[str, Any] | None) -> list[str]:
    """What the registry does not know, so that nobody could bring it back."""
    found = []
    if lock is None:
        found.append("the dvc.lock of the run is not recorded: the bundle alone tells what differs")
    if made.untracked:
        shown = ", ".join(made.untracked[:5])
        found.append(f"made beside files that git did not know, whose content is not recorded: {shown}")
    if made.tags.get("convoy.dirty") != "false" and not made.patch:
        found.append("made from a tree with uncommitted changes; no change of a known file is recorded")
    return found
