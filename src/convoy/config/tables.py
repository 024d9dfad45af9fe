"""Tables: how they are written (`data.layout`), and how their columns become numbers (section `prepare`)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section

Kind = Literal["number", "category", "boolean", "date", "ignore"]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")


class TableLayout(Section):
    """How the files of a table are written."""

    header: list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None, min_length=2, description="names of the columns, of files without a line of them"
    )
    comment: str | None = Field(default=None, min_length=1, description="lines that begin so are skipped")
    skip_lines: int = Field(default=0, ge=0, description="lines at the beginning of each file")
    missing: list[str] = Field(
        default_factory=lambda: list(MISSING), description="what stands where a value is missing"
    )
    decimal: Literal[".", ","] = Field(default=".", description="of numbers with a fraction")
    strip_label: str | None = Field(
        default=None, min_length=1, description="characters that are taken off both ends of labels"
    )
    earliest: Day = Field(default="1800-01-01", description="dates before it are out of range")
    latest: Day = Field(default="2199-12-31", description="dates after it are out of range")


class OutlierConfig(Section):
    """Values far from the others. What is usual is measured on the training split.

    clip: they become the nearest usual value. drop: training rows that hold one are left out; nothing else
    is. flag: a column says so.
    """

    name: Literal["none", "iqr", "z_score", "isolation_forest"] = "none"
    action: Literal["clip", "drop", "flag"] = "clip"
    limit: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None,
        description="iqr: interquartile ranges beyond the quartiles (null: 1.5); z_score: deviations from "
        "the mean (null: 3); isolation_forest: the share of the training rows (null: 0.01)",
    )

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.name == "isolation_forest":
            if self.action == "clip":
                raise ValueError(
                    "isolation_forest judges rows, which have no usual value near: use action: drop or flag"
                )
            if self.limit is not None and self.limit > 0.5:
                raise ValueError(f"limit is the share of the training rows, at most 0.5, not {self.limit}")
        return self

    @property
    def amount(self) -> float:
        usual = {"none": 0.0, "iqr": 1.5, "z_score": 3.0, "isolation_forest": 0.01}
        return usual[self.name] if self.limit is None else self.limit


class NumberConfig(Section):
    """Columns of numbers, and the parts of dates."""

    impute: Literal["mean", "median", "most_frequent", "constant"] = "median"
    constant: float = Field(default=0.0, description="for impute: constant")
    indicator: bool = Field(
        default=True, description="a column beside each that misses values in the training split"
    )
    outliers: OutlierConfig = Field(default_factory=OutlierConfig)
    scale: Literal["none", "standard", "minmax", "robust", "quantile", "piecewise"] = Field(
        default="standard",
        description="piecewise: a number for each of `bins` bins, how far the value has gone through it "
        "(Gorishniy et al. 2022)",
    )
    bins: int = Field(
        default=24, ge=2, le=256, description="for scale: piecewise; of equally many different values"
    )


class CategoryConfig(Section):
    """Columns of categories."""

    encode: Literal["embedding", "one_hot", "ordinal"] = Field(
        default="embedding", description="embedding: vectors that the network learns"
    )
    missing: Literal["own", "most_frequent"] = Field(
        default="own", description="own: what is missing is a category of its own"
    )
    unseen: Literal["unknown", "error"] = Field(
        default="unknown", description="a category that the training split does not hold"
    )
    min_count: int = Field(default=1, ge=1, description="rarer ones of the training split count as unseen")


class SelectConfig(Section):
    """Which features the network gets, chosen on the training split; an embedded column goes as a whole."""

    name: Literal["none", "variance", "univariate", "mutual_information", "l1", "model"] = Field(
        default="none",
        description="univariate: F-test; l1: weights of a logistic regression with that penalty; model: "
        "importance in extremely randomised trees",
    )
    keep: int | None = Field(
        default=None, ge=1, description="how many features; of l1 null: all that it uses"
    )
    threshold: Annotated[float, Field(ge=0.0)] = Field(
        default=0.0, description="variance: features that vary no more than this go"
    )

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.name in ("univariate", "mutual_information", "model") and self.keep is None:
            raise ValueError(f"name: {self.name} needs keep, the number of features")
        if self.name in ("none", "variance") and self.keep is not None:
            raise ValueError(f"keep means nothing to name: {self.name}")
        if self.name != "variance" and self.threshold:
            raise ValueError(f"threshold means nothing to name: {self.name}; it belongs to variance")
        return self


DatePart = Literal["year", "month", "day", "weekday", "hour", "days"]


class TablePrepareConfig(Section):
    """How the cells of a row become numbers; all that is fitted is fitted on the training split."""

    numbers: NumberConfig = Field(default_factory=NumberConfig)
    categories: CategoryConfig = Field(default_factory=CategoryConfig)
    dates: list[DatePart] = Field(
        default=["year", "month", "weekday"],
        min_length=1,
        description="numbers that each date gives; days: since 1970-01-01, with its fraction",
    )
    select: SelectConfig = Field(default_factory=SelectConfig)
