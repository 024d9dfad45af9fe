"""Sections `data`, `validate`, `split` and `prepare`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section
from convoy.config.tables import Kind, TableLayout
from convoy.config.targets import PointsConfig

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Policy = Literal["error", "quarantine", "warn", "off"]
Refusal = Literal["error", "quarantine"]
Remark = Literal["error", "warn", "off"]

Modality = Literal["image", "text", "sequence", "table"]

# Which sources give texts, sequences and rows; all others give pictures.
_ROWS = {"table_rows"}
_GIVEN_BY: dict[str, set[str]] = {
    "text": {"text_table", "text_lines"},
    "sequence": {"sequence_ts", "sequence_npz", "sequence_folder"},
    "table": _ROWS,
}
# Which sources take an option, and which of them cannot do without it.
_TABLES = {"table", "hf_imagefolder", "text_table", "table_rows"}
_TAKEN_BY: dict[str, set[str]] = {
    "table": {"table", "label_studio", "coco_keypoints", "text_table", "table_rows"},
    "image_col": {"table"},
    "text_col": {"text_table"},
    "target": {*_TABLES, "label_studio"},
    "group_col": {*_TABLES, "coco_keypoints"},
    "split_col": _TABLES,
    "time_col": {*_TABLES, "coco_keypoints"},
    "dataset": {"named"},
    "lines": {"text_lines"},
    "encoding": {"text_lines"},
    "tables": _ROWS,
    "id_col": _ROWS,
    "columns": _ROWS,
    "layout": _ROWS,
    "label_separator": {"table"},
    "label_cols": {"table"},
    "value_cols": {"table"},
    "points": {"table", "coco_keypoints"},
}
_NEEDED_BY: dict[str, set[str]] = {
    "table": {"table", "label_studio", "coco_keypoints", "text_table"},
    "image_col": {"table"},
    "text_col": {"text_table"},
    "target": {"table", "text_table", "table_rows"},
    "dataset": {"named"},
    "lines": {"text_lines"},
}


class DataConfig(Section):
    """Where the samples come from, and what they are."""

    modality: Modality = Field(default="image", description="what a sample is")

    source: Literal[
        "mnist5k",
        "image_folder",
        "table",
        "hf_imagefolder",
        "label_studio",
        "coco_keypoints",
        "named",
        "idx",
        "npz",
        "text_table",
        "text_lines",
        "sequence_ts",
        "sequence_npz",
        "sequence_folder",
        "table_rows",
    ] = Field(description="kind of source")
    path: str = Field(
        min_length=1,
        description="folder of the data, an archive of it (zip, tar) or a folder of tar shards",
    )
    table: str | None = Field(
        default=None, min_length=1, description="the table or export, a file below path"
    )
    image_col: str | None = Field(default=None, min_length=1, description="column with the picture's path")
    text_col: str | None = Field(default=None, min_length=1, description="column with the text")
    lines: dict[Literal["all", "train", "val", "test"], str] | None = Field(
        default=None,
        min_length=1,
        description="files of lines `label text` below path, by split; all: they name none",
    )
    tables: dict[Literal["all", "train", "val", "test"], str] | None = Field(
        default=None,
        min_length=1,
        description="tables below path by split, in place of table; all: they name none",
    )
    columns: dict[str, Kind] | None = Field(
        default=None,
        min_length=1,
        description="what columns of rows hold; of those that are not named, their values tell",
    )
    layout: TableLayout | None = Field(default=None, description="how tables of rows are written")
    encoding: str | None = Field(
        default=None,
        min_length=1,
        description="of files of lines; default: UTF-8, UTF-16 with its mark, else GB 18030",
    )
    target: str | None = Field(
        default=None, min_length=1, description="column with the label; of Label Studio the control's name"
    )
    label_separator: str | None = Field(
        default=None, min_length=1, description="between the labels in column `target`: a sample has several"
    )
    label_cols: list[str] | None = Field(
        default=None, min_length=2, description="columns of 0 and 1, one a label, in place of `target`"
    )
    unlabelled: Literal["refuse", "none"] = Field(
        default="refuse",
        description="a row with no label at all: refuse (validate.checks.labels says what becomes of it), or "
        "none: the sample has none of the labels",
    )
    value_cols: list[str] | None = Field(
        default=None, min_length=1, description="columns of numbers to predict, in place of `target`"
    )
    points: PointsConfig | None = Field(
        default=None, description="keypoints to predict, in place of `target`"
    )
    group_col: str | None = Field(
        default=None, min_length=1, description="column whose equal values stay on one side of the split"
    )
    split_col: str | None = Field(default=None, min_length=1, description="column with train, val or test")
    time_col: str | None = Field(
        default=None, min_length=1, description="column with the time, for split.strategy: time"
    )
    id_col: str | None = Field(
        default=None, min_length=1, description="column that names the row; nothing is learned from it"
    )
    dataset: str | None = Field(
        default=None, min_length=1, description="name of a data set, for source: named"
    )
    classes: list[str] | None = Field(
        default=None,
        min_length=1,
        description="the classes in their order; other labels are findings. Default: as found",
    )

    @model_validator(mode="after")
    def _source_gives_the_modality(self) -> Self:
        gives = next((name for name, sources in _GIVEN_BY.items() if self.source in sources), "image")
        if gives != self.modality:
            suits = ", ".join(sorted(_GIVEN_BY.get(self.modality, ()))) or "any other"
            raise ValueError(
                f"source {self.source!r} gives samples of modality {gives}, and modality is {self.modality}; "
                f"choose {suits}"
            )
        return self

    @model_validator(mode="after")
    def _options_fit_the_source(self) -> Self:
        for option, sources in _TAKEN_BY.items():
            given = getattr(self, option) is not None
            if given and self.source not in sources:
                raise ValueError(
                    f"{option} means nothing to source {self.source!r}; it belongs to "
                    + ", ".join(sorted(sources))
                )
            if option == "target" and self._other_targets:
                continue
            if not given and self.source in _NEEDED_BY.get(option, ()):
                raise ValueError(f"source {self.source!r} needs {option}")
        if self.source in _ROWS and (self.table is None) == (self.tables is None):
            raise ValueError(f"source {self.source!r} needs table, or tables by split, and not both")
        return self

    @property
    def _other_targets(self) -> list[str]:
        """The options given that name targets in place of `target`."""
        points = self.points is not None and self.points.columns is not None
        given = {"label_cols": self.label_cols, "value_cols": self.value_cols, "points": points or None}
        return [name for name, value in given.items() if value]

    @property
    def task(self) -> Literal["classification", "labels", "values", "keypoints"]:
        """What the targets are."""
        if self.label_separator is not None or self.label_cols is not None:
            return "labels"
        if self.value_cols is not None:
            return "values"
        return "keypoints" if self.points is not None or self.source == "coco_keypoints" else "classification"

    @model_validator(mode="after")
    def _targets_are_of_one_kind(self) -> Self:
        given = [name for name in ("target",) if self.target is not None] + self._other_targets
        if self.source == "table" and len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both name what is to be learned; keep one")
        if self.label_separator is not None and self.target is None:
            raise ValueError("label_separator needs target, the column with the labels")
        if self.unlabelled != "refuse" and self.task != "labels":
            raise ValueError("unlabelled belongs to label_separator or label_cols")
        if self.source == "table" and self.points is not None and self.points.columns is None:
            raise ValueError("points of a table need points.columns and points.names")
        return self


class ChecksConfig(Section):
    """What a finding of each check does: error (exit 3), quarantine (the sample is left out), warn or off.

    What cannot be used at all is never let through; what is said of the data as a whole leaves no sample out.
    A modality has some of them: see `convoy.config.combinations`.
    """

    unreadable: Refusal = Field(
        default="quarantine", description="missing, empty, truncated or damaged files"
    )
    oversized: Refusal = Field(
        default="quarantine", description="more pixels, seconds or memory than allowed"
    )
    blank: Policy = Field(default="warn", description="pictures of a single colour")
    size: Policy = Field(default="warn", description="pictures far smaller, larger or longer than the others")
    mode: Policy = Field(
        default="warn", description="pictures whose colour mode differs from nearly all others"
    )
    labels: Refusal = Field(default="quarantine", description="missing, unknown or non-finite labels")
    duplicates: Policy = Field(
        default="quarantine", description="the same content again, in one split and class"
    )
    near_duplicates: Policy = Field(
        default="warn",
        description="nearly the same picture again; they are grouped, so a split keeps them together",
    )
    conflicts: Policy = Field(default="quarantine", description="the same picture under two labels")
    leakage: Policy = Field(
        default="error", description="the same or nearly the same picture in two given splits"
    )
    groups: Policy = Field(default="error", description="one group in two given splits")
    imbalance: Remark = Field(default="warn", description="a class far smaller than the largest")
    changes: Remark = Field(
        default="warn", description="the data differ from those of the last accepted version"
    )
    label_issues: Policy = Field(
        default="warn", description="pictures whose labels a model trained on the others doubts"
    )
    encoding: Policy = Field(
        default="warn", description="texts with characters that a wrong encoding leaves behind"
    )
    length: Policy = Field(default="warn", description="texts or sequences far longer than the others")
    script: Policy = Field(default="warn", description="texts in another script than nearly all others")
    label_by_length: Remark = Field(
        default="warn", description="classes that the length of a text or a sequence alone tells apart"
    )
    channels: Refusal = Field(
        default="quarantine",
        description="sequences whose channels differ in length, or in number or names from the others'",
    )
    missing: Policy = Field(
        default="warn",
        description="sequences with missing or infinite values, columns of tables with many (these are "
        "not quarantined); `prepare` says what becomes of them",
    )
    constant: Policy = Field(
        default="warn",
        description="sequences of which a channel never changes, columns of tables with one value (these are "
        "not quarantined)",
    )
    rate: Policy = Field(default="warn", description="sequences sampled at another rate than the others")
    values: Policy = Field(
        default="quarantine",
        description="cells of tables that are not what their column holds: a number with a comma, a word, a "
        "date out of range",
    )
    identifiers: Remark = Field(default="warn", description="columns whose values name the row")
    unseen: Remark = Field(
        default="warn", description="categories that the given training split does not hold"
    )
    target_leaks: Remark = Field(
        default="warn", description="columns of tables that tell the label, or equal it"
    )


class ValidateConfig(Section):
    """What the gate on the data lets through."""

    max_bad_fraction: Fraction = Field(description="share of samples that may be quarantined")
    max_pixels: int = Field(gt=0, description="pixels above which a picture is refused unopened")
    min_per_class: int = Field(ge=3, description="fewest good samples a class may have")
    max_seconds: float = Field(
        default=10.0, gt=0, description="longest that the opening of one picture may take"
    )
    max_memory_mb: int = Field(default=2048, ge=256, description="memory that opening one picture may take")
    checks: ChecksConfig = Field(default_factory=ChecksConfig)


class SplitConfig(Section):
    """How samples are divided. `auto`: predefined where data name splits, grouped where they have groups."""

    strategy: Literal[
        "auto", "stratified", "grouped", "stratified_grouped", "time", "predefined", "folds", "iterative"
    ]
    val: Annotated[float, Field(gt=0.0, lt=1.0)]
    test: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: int = Field(ge=0)
    folds: int = Field(default=5, ge=2, le=100, description="number of folds, for strategy: folds")
    fold: int = Field(default=0, ge=0, description="which fold is the test split, from 0")

    @model_validator(mode="after")
    def _train_is_left(self) -> Self:
        if self.val + self.test >= 0.9:
            raise ValueError(
                f"val ({self.val}) and test ({self.test}) together leave less than a tenth to train on"
            )
        if self.fold >= self.folds:
            raise ValueError(f"fold ({self.fold}) must be below folds ({self.folds}); folds count from 0")
        return self


class TextPrepareConfig(Section):
    """How a text becomes tokens; the vocabulary is that of the training split."""

    tokens: Literal["words", "characters", "chinese"] = Field(
        description="words: with punctuation and every Chinese character on its own; chinese: segmented by "
        "rjieba (the extra `text`)"
    )
    normalise: Literal["NFKC", "NFC", "none"] = Field(
        default="NFKC", description="Unicode normal form; NFKC also makes full-width letters plain ones"
    )
    lowercase: bool = True
    min_count: int = Field(default=1, ge=1, description="rarer tokens of the training split are unknown")
    max_size: int = Field(default=50_000, ge=2, le=1_000_000, description="tokens of the vocabulary, at most")
    max_length: int = Field(default=256, ge=1, le=8192, description="tokens of a text; the rest is cut off")


class SequencePrepareConfig(Section):
    """How a sequence becomes an array (length, channels) of float32."""

    missing: Literal["refuse", "interpolate", "zero"] = Field(
        description="missing and infinite values. refuse: there may be none; interpolate: from the values "
        "before and after them, channel by channel; zero: 0, before scaling"
    )
    scale: Literal["channel", "sample", "none"] = Field(
        description="to mean 0 and deviation 1. channel: by those of the training split; sample: each "
        "channel of each sample by its own"
    )
    length: Annotated[int, Field(ge=2, le=65_536)] | None = Field(
        default=None, description="values that every sequence is resampled to; null: lengths may differ"
    )
    rate: Annotated[float, Field(gt=0.0, le=1e9)] | None = Field(
        default=None, description="samples a second that all are resampled to, where files tell their rate"
    )
    max_length: int = Field(
        default=8192, ge=2, le=1_048_576, description="values of a sequence; the rest is cut off"
    )

    @model_validator(mode="after")
    def _one_way_to_resample(self) -> Self:
        if self.length is not None and self.rate is not None:
            raise ValueError("length and rate both resample; set one of them")
        return self


class PrepareConfig(Section):
    """How a picture becomes an array (H, W, C) of uint8."""

    height: int = Field(ge=8, le=1024)
    width: int = Field(ge=8, le=1024)
    channels: Literal[1, 3]
    resize: Literal["stretch", "fit", "cover"]
    interpolation: Literal["area", "linear", "cubic", "nearest"] = Field(
        default="area", description="how pictures shrink; area averages, which has no aliasing"
    )
