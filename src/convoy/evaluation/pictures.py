"""Pictures of an evaluation: confusion matrix, learning curves, the worst mistakes; thumbnails for pages."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convoy.data import fonts
from convoy.io import write_bytes

_MANY_CLASSES = 30
_LINE = 110  # characters of a text in a picture
_THUMBNAIL = 176  # pixels on the longer side
_LOSSLESS = 96  # up to this side a picture is kept pixel by pixel
_HEAT_OPACITY = 0.85
_DIMMED = 0.6
_POINTED = 176  # least pixels of the longer side of a picture with points
_TRUE, _SEEN = (40, 200, 80), (230, 60, 50)
_DOT = 1.2  # radius, pixels


def confusion(matrix: NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """Counts; colours are shares of the target's row."""
    with typefaces(classes):
        size = len(classes)
        side = min(16.0, 3.0 + 0.45 * size)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if size <= _MANY_CLASSES:
            shown = fonts.shown(classes)
            axes.set_xticks(range(size), shown, rotation=90 if max(map(len, shown)) > 2 else 0)
            axes.set_yticks(range(size), shown)
            for row in range(size):
                for column in range(size):
                    if matrix[row, column]:
                        colour = "white" if shares[row, column] > 0.5 else "black"
                        axes.text(column, row, matrix[row, column], ha="center", va="center", color=colour)
        axes.set(xlabel="prediction", ylabel="target", title="Confusion matrix, test")
        _save(figure, path)


def curves(history: pd.DataFrame, path: Path) -> None:
    """Loss, and what else is measured of the validation split (of classes: accuracy), by epoch."""
    measured = next(name for name in ("val_accuracy", "val_mae", "val_loss") if name in history)
    with typefaces(()):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name in ("train_loss", "val_loss"):
            left.plot(history["epoch"], history[name], marker=".", label=name)
        right.plot(history["epoch"], history[measured], marker=".", label=measured, color="tab:green")
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.legend()
            axes.grid(alpha=0.3)
            axes.xaxis.get_major_locator().set_params(integer=True)
        _save(figure, path)


def mistakes(wrong: pd.DataFrame, images: NDArray[np.uint8], classes: Sequence[str], path: Path) -> None:
    """The worst mistakes in a grid.

    Args:
        wrong: rows of the predictions table, the worst first.
        images: (len(wrong), H, W, C), in the same order.
    """
    with typefaces(classes):
        across = 5
        down = max(1, -(-len(wrong) // across))
        figure = Figure(figsize=(across * 1.9, down * 2.1 + 0.5), layout="constrained")
        figure.suptitle(
            f"The {len(wrong)} worst mistakes, test" if len(wrong) else "No mistakes on the test set"
        )
        shown = dict(zip(classes, fonts.shown(classes), strict=True))
        grid = figure.subplots(down, across, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for axes, image, row in zip(grid.flat, images, wrong.itertuples(), strict=False):
            axes.imshow(image.squeeze(), cmap="gray" if image.shape[2] == 1 else None, vmin=0, vmax=255)
            title = (
                f"{shown[str(row.target)]} taken for {shown[str(row.prediction)]}\np = {row.confidence:.2f}"
            )
            axes.set_title(title, fontsize=8)
        _save(figure, path)


def grid(images: Sequence["Shown"], captions: Sequence[str], heading: str, path: Path) -> None:
    """Pictures (H, W, C) with a line each."""
    with typefaces([*captions, heading]):
        across = 5
        down = max(1, -(-len(images) // across))
        figure = Figure(figsize=(across * 1.9, down * 2.1 + 0.5), layout="constrained")
        figure.suptitle(fonts.shown([heading])[0])
        places = figure.subplots(down, across, squeeze=False)
        for axes in places.flat:
            axes.axis("off")
        for axes, image, caption in zip(places.flat, images, fonts.shown(captions), strict=False):
            assert not isinstance(image, Excerpt)
            axes.imshow(image.squeeze(), cmap="gray" if image.shape[2] == 1 else None, vmin=0, vmax=255)
            axes.set_title(caption, fontsize=8, parse_math=False)
        _save(figure, path)


def pointed(
    image: "Shown", target: NDArray[np.float64], prediction: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """A picture (H, W, C), enlarged, with its points (K, 2): green where they are, red where they were seen.

    Points that are NaN are left out.
    """
    assert not isinstance(image, Excerpt)
    scale = max(1, -(-_POINTED // max(image.shape[:2])))
    large = image.repeat(scale, axis=0).repeat(scale, axis=1)
    picture = Image.fromarray(np.broadcast_to(large, (*large.shape[:2], 3)).copy())
    pen = ImageDraw.Draw(picture)
    for points, colour in ((target, _TRUE), (prediction, _SEEN)):
        for x, y in (np.asarray(points) + 0.5) * scale - 0.5:
            if np.isfinite(x + y):
                pen.ellipse([x - _DOT, y - _DOT, x + _DOT, y + _DOT], fill=colour)
    return np.asarray(picture)


def residuals(panels: Sequence[tuple[str, NDArray[np.float64], NDArray[np.float64]]], path: Path) -> None:
    """(name, targets (N,), residuals (N,)) a panel: residuals over targets, 0 dashed."""
    with typefaces([name for name, _, _ in panels]):
        figure = Figure(figsize=(3.2 * len(panels), 3.2), layout="constrained")
        for axes, (name, target, apart) in zip(
            figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
        ):
            axes.plot(target, apart, ".", markersize=2, alpha=0.5)
            axes.axhline(0, color="black", linestyle="--", linewidth=0.8)
            axes.set(xlabel=f"{fonts.shown([name])[0]}, true", ylabel="prediction less truth")
            axes.grid(alpha=0.3)
        _save(figure, path)


def mistaken_texts(wrong: pd.DataFrame, texts: Sequence[str], classes: Sequence[str], path: Path) -> None:
    """The worst mistakes as lines.

    Args:
        wrong: rows of the predictions table, the worst first.
        texts: in the same order.
    """
    with typefaces([*classes, *texts]):
        figure = Figure(figsize=(9.5, 0.8 + 0.42 * max(1, len(wrong))), layout="constrained")
        axes = figure.subplots()
        axes.axis("off")
        axes.set_title(
            f"The {len(wrong)} worst mistakes, test" if len(wrong) else "No mistakes on the test set"
        )
        shown = dict(zip(classes, fonts.shown(classes), strict=True))
        begun = [text if len(text) <= _LINE else f"{text[: _LINE - 2]} …" for text in texts]
        for number, (text, row) in enumerate(zip(fonts.shown(begun), wrong.itertuples(), strict=True)):
            said = (
                f"{shown[str(row.target)]} taken for {shown[str(row.prediction)]}, p = {row.confidence:.2f}"
            )
            place = 1 - (number + 0.5) / len(wrong)
            axes.text(0, place, f"{said}\n{text}", fontsize=8, va="center", parse_math=False)
        _save(figure, path)


@dataclass(frozen=True)
class Thumbnail:
    """A picture inside a page: a data URI, its size in pixels, whether it is so small that it is enlarged."""

    uri: str
    width: int
    height: int
    small: bool


@dataclass(frozen=True)
class Excerpt:
    """A text inside a page: HTML, in which words may be marked."""

    html: Markup


Inset = Thumbnail | Excerpt  # how a page shows a sample
Shown = NDArray[np.uint8] | Excerpt  # what is shown: a picture (H, W, C), C of 1 or 3; or a text


def inset(sample: Shown) -> Inset:
    return sample if isinstance(sample, Excerpt) else thumbnail(sample)


def excerpt(text: str, most: int = 400) -> Excerpt:
    """The beginning of a text, all of it where it is short."""
    return Excerpt(escape(text if len(text) <= most else f"{text[:most]} …"))


def thumbnail(image: NDArray[np.uint8]) -> Thumbnail:
    """A picture (H, W, C), C of 1 or 3: small ones pixel by pixel, larger ones reduced."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    small = max(picture.size) <= _LOSSLESS
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    if small:
        picture.save(buffer, format="PNG", optimize=True)
    else:
        picture.save(buffer, format="WEBP", quality=80, method=4)
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/{'png' if small else 'webp'};base64,{code}", *picture.size, small)


def thumbnail_uri(image: NDArray[np.uint8]) -> str:
    return thumbnail(image).uri


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture (H, W, C), grey and dimmed, under a heat-map (H, W) in [0, 1]: (H, W, 3)."""
    grey = _DIMMED * image.mean(axis=2, keepdims=True)
    colours = mpl.colormaps["inferno"](0.3 + 0.6 * heat)[:, :, :3] * 255
    opacity = _HEAT_OPACITY * heat[:, :, None]
    blended: NDArray[np.uint8] = ((1 - opacity) * grey + opacity * colours).round().astype(np.uint8)
    return blended


@contextmanager
def typefaces(names: Sequence[str]) -> Iterator[None]:
    """For everything that is drawn inside, where `names` are drawn besides plain text."""
    with mpl.rc_context({"font.family": fonts.families(names)}):
        yield


def _save(figure: Figure, path: Path) -> None:
    """The same numbers give the same bytes: no date, no version of the writer."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())
