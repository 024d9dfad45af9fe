"""`convoy lr-find`: which learning rate to try."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from convoy.config.schema import Config
    from convoy.training.lr_find import RangeTest


def lr_find(
    lowest: Annotated[float, typer.Option("--from", help="Rate of the first step.")] = 1e-6,
    highest: Annotated[float, typer.Option("--to", help="Rate of the last step.")] = 10.0,
    steps: Annotated[int, typer.Option(min=20, help="Steps, at most.")] = 100,
    out: Annotated[Path | None, typer.Option(help="The page (default: .convoy/lr-find.html).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train the configured model a few steps at a rising learning rate; suggest one. Changes nothing.

    Needs what the stages prepare and augment make.
    """
    import os

    from convoy import io
    from convoy.cli import _server
    from convoy.errors import ConfigError
    from convoy.evaluation import lr_page
    from convoy.layout import STATE

    if not 0 < lowest < highest:
        raise ConfigError(f"--from {lowest:g} and --to {highest:g} are no range", fix="use 0 < from < to")
    root, config = _server.project()
    where = (out or root / STATE / "lr-find.html").absolute()
    os.chdir(root)
    found = _test(config, lowest, highest, steps)
    name = f"Learning-rate range test: {config.model.name}, {config.train.optimizer.name}"
    if found.lrs:
        io.write_text(where, lr_page.render(found, name))
    shown = where.relative_to(root).as_posix() if where.is_relative_to(root) else str(where)
    if json:
        now = config.train.optimizer.lr
        _server.show_json({"page": shown if found.lrs else None, "configured": now, **found.as_dict()})
        return
    _server.show_table(("learning rate", "loss", "smoothed"), lr_page.rows(found))
    if found.suggested is None:
        typer.echo("the loss fell at no rate: try a wider range with --from and --to")
    else:
        typer.echo(
            f"the loss falls fastest at {found.suggested:.2e}; configured is {config.train.optimizer.lr:g}"
        )
    typer.echo(shown)


def _test(config: "Config", lowest: float, highest: float, steps: int) -> "RangeTest":
    """Raises:
    ConfigError: the model does not fit the data.
    IntegrityError: the prepared data are incomplete.
    """
    import torch

    from convoy import plugins
    from convoy.config.model import fitted
    from convoy.data import policies
    from convoy.data.loader import BatchLoader
    from convoy.data.mixing import Mixing
    from convoy.data.store import Store
    from convoy.errors import ConfigError
    from convoy.io import read_json
    from convoy.layout import AUGMENT, PREPARE
    from convoy.training import lr_find as training
    from convoy.training import network
    from convoy.training.fit import pick_device
    from convoy.training.objectives._base import Targets
    from convoy.training.precision import Precision

    if fitted(config.model):
        raise ConfigError(
            f"{config.model.name} is fitted at once: it has no learning rate",
            where="params.yaml: model.name",
            fix="choose a model that is trained in epochs",
        )
    section = config.train
    preprocessor, policy = read_json(PREPARE / "preprocessor.json"), read_json(AUGMENT / "policy.json")
    stores = [Store.open(PREPARE / "train")]
    if policy["offline_copies"]:
        stores.append(Store.open(AUGMENT / "train"))
    if section.threads != "auto":
        torch.set_num_threads(section.threads)
    torch.manual_seed(section.seed)
    targets = Targets.of(preprocessor, stores)
    return training.range_test(
        network.build(config.model, preprocessor),
        plugins.load("objective", config.objective.name).build(config.objective, targets),
        section,
        BatchLoader(
            stores,
            batch_size=section.batch_size,
            seed=section.seed,
            shuffle=True,
            augment=policies.of(preprocessor, policy["transforms"])
            if policy["online"] and policy["transforms"]
            else None,
            loading=plugins.load("batching", preprocessor["modality"]).loading(preprocessor),
        ),
        device=pick_device(section.device),
        precision=Precision("bf16" if section.precision == "bf16" else "fp32"),
        mixing=Mixing.of(policy),
        lowest=lowest,
        highest=highest,
        steps=steps,
    )
