"""`convoy predict`: pictures in, classes out, with a registered bundle or one in a folder. Needs no torch."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convoy.cli import _models, _server

if TYPE_CHECKING:
    from convoy.serving.engine import Batch
    from convoy.serving.outputs import Output
    from convoy.serving.predictor import Predictor
    from convoy.serving.source import Reference
    from convoy.serving.tables import Row, Write

_NOUNS = {"image": "pictures", "text": "texts", "sequence": "sequences", "row": "rows"}


def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures, folders that are searched for pictures, CSV files that list some; for a model of "
            "texts: text files with a text a line, CSV files with texts in --column; for a model of "
            "sequences: CSV, WAV and JSON files of one each, .ts and .tsv files of many, folders of them; "
            "for one of tables: CSV, Parquet or JSON files, whose rows are answered each."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(help="models:/NAME@ALIAS, models:/NAME/VERSION, or a folder (default: the champion)."),
    ] = None,
    column: Annotated[str, typer.Option(help="Of CSV files: where the paths, or the texts, are.")] = "path",
    output: Annotated[
        Path | None, typer.Option(help="Write all probabilities to this file: .csv, .parquet or .json.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with all probabilities.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Of onnxruntime (default: all cores).")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep answers and measures, not pictures, for `convoy monitor`.")
    ] = False,
) -> None:
    """Predict pictures, texts, sequences or rows. What cannot be read is named, all others predicted.

    Exit code 3 where something could not be read. The bundle's network and preprocessing are used; no code
    that it carries is run.
    """
    from convoy.errors import DataError
    from convoy.serving import engine, keeping, sequences, tables

    if output is not None:
        tables.check_ending(output)
    reference, predictor = _load(model, threads)
    if keep:
        keeping.check(predictor.output)
    pictures: Sequence[Any]
    if predictor.input.column == "image":
        pictures = list(_pictures(paths, column))
        names = [str(path) for path in pictures]
    elif predictor.input.column == "sequence":
        names, pictures = sequences.read(paths)
    elif hasattr(predictor.input, "columns"):
        names, pictures = tables.read_rows(paths, predictor.input)
    else:
        names, pictures = tables.read_texts(paths, column)
    typer.echo(f"model: {reference}, sha256 {reference.digest}", err=True)
    version = str(reference) if reference.version else f"sha256:{reference.digest[:12]}"
    failed = 0
    with ExitStack() as stack:
        writes: list[Write] = []
        if output is not None:
            writes.append(stack.enter_context(tables.written(output, predictor.output)))
        if json:
            printed = contextmanager(tables.as_json)(sys.stdout, predictor.output)
            writes.append(stack.enter_context(printed))
        elif output is None:
            noun = _NOUNS.get(predictor.input.column, "samples")[:-1]
            writes.append(stack.enter_context(_shown(noun, predictor.output)))
        advance = stack.enter_context(_progress(len(pictures)))
        keeper = stack.enter_context(_models.keeping()) if keep else None
        look = keeper.look if keeper is not None else None
        for batch in engine.classify_all(predictor, pictures, look=look):
            if keeper is not None and batch.looks:
                keeper.put(reference, batch.looks, predictor.classes, batch.rows)
            rows = _rows(batch, names, predictor, version)
            failed += len(batch.errors)
            for row in rows:
                if row.error is not None:
                    typer.echo(f"{row.path}: {row.error}", err=True)
            for write in writes:
                write(rows)
            advance(len(rows))
    if failed:
        raise DataError(
            f"{failed} of {len(pictures)} {_NOUNS.get(predictor.input.column, 'samples')} could not be read",
            fix="they are named above; the others were predicted",
        )


def _pictures(paths: Sequence[Path], column: str) -> Iterator[Path]:
    """Files as given; of folders, at any depth, those with a picture's ending, in name order; of CSV files
    those that they list.

    Raises:
        DataError: a path does not exist, a folder holds no picture, a CSV file has no such column.
    """
    from convoy.data.pixels import extensions
    from convoy.errors import DataError
    from convoy.serving import tables

    known = extensions()
    for path in paths:
        if path.is_dir():
            found = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in known and p.is_file()]
            found = [p for p in found if not any(part.startswith(".") for part in p.relative_to(path).parts)]
            if not found:
                raise DataError("the folder holds no pictures", where=str(path))
            yield from found
        elif not path.exists():
            raise DataError("there is no such file or folder", where=str(path))
        elif path.suffix.lower() == ".csv":
            yield from tables.read_paths(path, column)
        else:
            yield path


def _load(model: str | None, threads: int | None) -> "tuple[Reference, Predictor]":
    """Raises:
    ConfigError: there is no such model.
    IntegrityError: the bundle is damaged.
    ResourceError: the server cannot be reached.
    """
    import tempfile

    from convoy.data._threads import cores
    from convoy.errors import IntegrityError
    from convoy.serving.predictor import BadBundle, Predictor

    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        found = None if model is not None and Path(model).is_dir() else _models.quick(model)
        if found is None:
            source = _models.source(model)
            reference = source.resolve()
            found = reference, source.fetch(reference, Path(scratch))
        try:
            return found[0], Predictor(found[1], threads=threads or cores())
        except BadBundle as error:
            raise IntegrityError(str(error), fix="name a folder that `convoy stage package` wrote") from None


def _rows(batch: "Batch", names: Sequence[str], predictor: "Predictor", version: str) -> "list[Row]":
    from convoy.serving.tables import Row

    answers = iter(batch.rows)
    rows = []
    for number in batch.pictures:
        path, error = names[number], batch.errors.get(number)
        if error is not None:
            rows.append(Row(path, (), version, error, ()))
            continue
        found = next(answers)
        rows.append(Row(path, predictor.output.cells(found), version, None, found.tolist()))
    return rows


@contextmanager
def _shown(noun: str, output: "Output") -> "Iterator[Write]":
    """Collects what the terminal's table holds, and prints it at the end, if anything was predicted."""
    cells: list[tuple[object, ...]] = []

    def write(rows: "Sequence[Row]") -> None:
        cells.extend((row.path, *row.head) for row in rows if row.error is None)

    yield write
    if cells:
        _server.show_table((noun, *(name for name, _ in output.head)), cells)


@contextmanager
def _progress(total: int) -> "Iterator[Callable[[int], None]]":
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("predict", total=total)
        yield lambda done: bar.advance(task, done)
