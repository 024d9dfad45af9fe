"""What the server answers, as `/openapi.json` describes it."""

from pydantic import BaseModel, ConfigDict, Field


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Model(_Plain):
    """Which bundle answered."""

    name: str
    version: str = Field(description="In the registry; empty for a bundle that was served from a folder.")
    digest: str = Field(description="sha256 of the bundle's files.")


class Answer(_Plain):
    """Of a model of classes."""

    file: str = Field(description="The name that came with the picture.")
    label: str
    probability: float = Field(description="Of the label, calibrated.")
    probabilities: dict[str, float] = Field(description="Of every class; they sum to 1.")
    prepared: str | None = Field(
        default=None, description="The picture as the network saw it, a PNG as data URL; with heatmap=true."
    )
    heatmap: str | None = Field(
        default=None,
        description="Occlusion sensitivity, a grey PNG of the same size as data URL: 255 is where covering "
        "the picture costs the label most; with heatmap=true.",
    )


class Labelled(_Plain):
    """Of a model of several labels."""

    file: str
    labels: list[str] = Field(description="Those whose probability reaches their threshold.")
    probabilities: dict[str, float] = Field(description="Of every label, each a question of its own.")


class Measured(_Plain):
    """Of a model of numbers or points."""

    file: str
    values: dict[str, float] = Field(description="Of points x and y, in pixels of the prepared picture.")
    points: dict[str, list[float]] | None = Field(
        default=None, description="x and y of each as shares of the picture's width and height."
    )


class Restored(_Plain):
    """Of an autoencoder."""

    file: str
    values: dict[str, float] = Field(
        description="error: the anomaly score, between sample and reconstruction."
    )
    anomalous: bool = Field(description="Whether the error is larger than nearly all of validation.")
    embedding: list[float] = Field(description="The code, features for another model.")


class Answers(_Plain):
    model: Model
    predictions: list[Answer | Labelled | Measured | Restored]


class Problem(_Plain):
    index: int = Field(description="Position of the picture in the request, from 0.")
    file: str | None
    reason: str


class Refusal(_Plain):
    detail: str
    problems: list[Problem]


class Invocation(_Plain):
    """MLflow's answer: a row of the model's output columns a picture."""

    predictions: list[dict[str, str | float]]


class Takes(_Plain):
    """What a sample is."""

    column: str = Field(description="image, text, sequence or row; in tables that hold samples, the column.")
    columns: dict[str, str] = Field(description="Of a row, and what each holds; else empty.")
    classes: bool = Field(description="Whether one class is answered, so that there are heat-maps.")


class Health(_Plain):
    status: str = Field(description="ok; degraded: an older model goes on, `problem` says why.")
    problem: str | None
    model: Model
    takes: Takes


class Version(_Plain):
    convoy: str
    model: Model
    classes: list[str]
