"""`convoy predict`: pictures in, classes out, with a registered bundle or one in a folder. Needs no torch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convoy.cli import _server

if TYPE_CHECKING:
    from convoy.serving.predictor import Predictor

_BATCH = 64


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders that are searched for pictures.")],
    model: Annotated[
        str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/VERSION, or a bundle's folder.")
    ] = "models:/digits@champion",
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with all probabilities.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write all probabilities to this CSV file.")] = None,
) -> None:
    """Predict pictures. What cannot be read is named on stderr, the others are predicted, the exit code is 3.

    The bundle's network and preprocessing are used; no code that it carries is run.
    """
    import tempfile

    from convoy.errors import DataError

    pictures = list(_pictures(paths))
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        predictor = _predictor(model, Path(scratch))
        answers, failed = _answers(predictor, pictures)
    if output is not None:
        _write_csv(output, answers, predictor.classes)
    if json:
        _server.show_json(answers)
    elif output is None:
        _server.show_table(
            ("picture", "prediction", "probability"),
            ((a["path"], a["prediction"], a["probabilities"][a["prediction"]]) for a in answers),
        )
    if failed:
        raise DataError(
            f"{failed} of {len(pictures)} pictures could not be read",
            fix="they are named above; the others were predicted",
        )


def _pictures(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given; of folders, at any depth, those with a picture's ending, in name order.

    Raises:
        DataError: a path does not exist, or a folder holds no picture.
    """
    from convoy.data.pixels import extensions
    from convoy.errors import DataError

    known = extensions()
    for path in paths:
        if path.is_dir():
            found = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in known and p.is_file()]
            found = [p for p in found if not any(part.startswith(".") for part in p.relative_to(path).parts)]
            if not found:
                raise DataError("the folder holds no pictures", where=str(path))
            yield from found
        elif path.exists():
            yield path
        else:
            raise DataError("there is no such file or folder", where=str(path))


def _predictor(model: str, scratch: Path) -> "Predictor":
    """Raises:
    ConfigError: there is no such model.
    IntegrityError: the bundle is damaged.
    ResourceError: the server cannot be reached.
    """
    from convoy.errors import IntegrityError
    from convoy.serving.predictor import BadBundle, Predictor

    folder = Path(model)
    if not folder.is_dir():
        from convoy.registry import lookup

        _, client = _server.reach()
        folder = lookup.fetch(client, model, scratch)
    try:
        return Predictor(folder)
    except BadBundle as error:
        raise IntegrityError(str(error), fix="name a folder that `convoy stage package` wrote") from None


def _answers(predictor: "Predictor", pictures: Sequence[Path]) -> tuple[list[dict[str, Any]], int]:
    """One answer a readable picture, in order, and how many are not readable."""
    import numpy as np

    from convoy.data.pixels import UndecodableImage
    from convoy.serving.predictor import softmax

    answers: list[dict[str, Any]] = []
    failed = 0
    for first in range(0, len(pictures), _BATCH):
        readable, arrays = [], []
        for path in pictures[first : first + _BATCH]:
            try:
                arrays.append(predictor.prepare(path))
            except (UndecodableImage, OSError) as error:
                failed += 1
                reason = error.strerror if isinstance(error, OSError) else error
                typer.echo(f"{path}: {reason}", err=True)
            else:
                readable.append(path)
        if arrays:
            rows = softmax(predictor.logits(np.stack(arrays)))
            answers += [
                {"path": str(path), **predictor.answer(row)} for path, row in zip(readable, rows, strict=True)
            ]
    return answers, failed


def _write_csv(path: Path, answers: Sequence[dict[str, Any]], classes: Sequence[str]) -> None:
    import csv
    import io

    from convoy.io import write_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "prediction", *(f"p:{name}" for name in classes)])
    for answer in answers:
        values = (f"{answer['probabilities'][name]:.8f}" for name in classes)
        writer.writerow([answer["path"], answer["prediction"], *values])
    write_text(path, text.getvalue())
