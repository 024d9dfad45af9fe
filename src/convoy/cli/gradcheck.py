"""`convoy gradcheck`: whether the gradients that train the configured model are right."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from convoy.config.schema import Config
    from convoy.training.gradcheck import Derivative


def gradcheck(
    tolerance: Annotated[float, typer.Option(help="Largest error that passes.")] = 1e-5,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare autograd with central differences for every layer, activation and loss of the model (exit 4).

    In float64, on small random inputs; no data are needed. The model's first convolution is also derived by
    hand. The error is the largest difference over the largest gradient.
    """
    from dataclasses import asdict

    from convoy.cli import _server
    from convoy.errors import IntegrityError

    _, config = _server.project()
    found = _check(config)
    wrong = [each for each in found if not each.passes(tolerance)]
    if json:
        rows = [{**asdict(each), "passed": each.passes(tolerance)} for each in found]
        for row in rows:
            row["error"] = row["error"] if row["entries"] else None  # JSON has no NaN
        _server.show_json({"tolerance": tolerance, "passed": not wrong, "derivatives": rows})
    else:
        _server.show_table(
            ("what", "place", "with respect to", "way", "entries", "error", ""),
            (
                (
                    each.what, each.place, each.wrt, each.way, each.entries, f"{each.error:.1e}",
                    "" if each.passes(tolerance) else "WRONG",
                )
                for each in found
            ),
        )  # fmt: skip
        worst = max((each.error for each in found if each.entries), default=float("nan"))
        typer.echo(f"{len(found) - len(wrong)} of {len(found)} derivatives agree; largest error {worst:.1e}")
    if wrong:
        raise IntegrityError(
            f"{len(wrong)} of {len(found)} derivatives differ by more than {tolerance:g}",
            where="; ".join(f"{each.place or each.what}, {each.wrt}" for each in wrong[:5]),
            fix="mend the backward pass of these layers, or raise --tolerance",
        )


def _check(config: "Config") -> "list[Derivative]":
    import numpy as np
    import torch

    from convoy import plugins
    from convoy.config.data import PrepareConfig
    from convoy.config.model import fitted
    from convoy.errors import ConfigError
    from convoy.training import gradcheck as training
    from convoy.training import network, penalties
    from convoy.training.objectives._base import Targets

    if fitted(config.model):
        raise ConfigError(
            f"{config.model.name} is fitted at once: nothing of it learns by gradients",
            where="params.yaml: model.name",
            fix="choose a model that is trained in epochs",
        )
    if config.objective.name != "classification":
        raise ConfigError(
            f"`convoy gradcheck` knows the losses of classes alone, not of {config.objective.name}",
            where="params.yaml: objective.name",
            fix="nothing is to be mended: `convoy run` watches every loss",
        )
    weights = config.objective.class_weights if config.objective.name == "classification" else "none"
    named = list(weights) if isinstance(weights, dict) else []
    classes = [*named, *(f"class {n}" for n in range(max(0, 3 - len(named))))]
    spec = config.prepare
    if not isinstance(spec, PrepareConfig):
        raise ConfigError(
            f"`convoy gradcheck` knows networks for pictures alone, not for {config.data.modality}",
            where="params.yaml: data.modality",
            fix="nothing is to be mended: train it, `convoy run` checks the model first",
        )
    torch.manual_seed(config.train.seed)
    net = network.build(
        config.model,
        plugins.load("preparing", config.data.modality).stand_in(spec, classes),
        pretrained=False,
    )
    targets = Targets(classes, np.arange(2 * len(classes)) % len(classes))
    return training.check(
        net.body,
        plugins.load("objective", config.objective.name).build(config.objective, targets),
        (spec.channels, spec.height, spec.width),
        len(classes),
        mixed=bool(config.augment.mixup or config.augment.cutmix),
        penalty=lambda module: penalties.penalty(module, config.train.l1, config.train.l2),
    )
