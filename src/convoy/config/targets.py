"""What in section `data` says which columns are to be learned, where they are no single class."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from convoy.config._base import Section

Point = int | Annotated[str, Field(min_length=1)]


class PointsConfig(Section):
    """Keypoints: pixels of the stored picture. A point whose two cells are empty is not known."""

    columns: list[str] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="names of the columns of x and y, with {} in place of the point's name: [x{}, y{}]; "
        "null: the source knows the points",
    )
    first_pixel: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0,
        description="x and y of the centre of the upper left pixel, as the columns count: 0; 1 where they "
        "count pixels from one (MATLAB, dlib); 0.5 where the picture's corner is 0, 0. What is said wrongly "
        "here, a mirror puts off by twice as much",
    )
    names: int | list[Point] | None = Field(
        default=None, description="of the points; a number N: 0 to N - 1; null: the source knows them"
    )
    swap: list[list[Point]] = Field(
        default_factory=list,
        description="pairs of points, the left and the right of each: they change places in a mirror",
    )
    distance: list[Point] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="two points: NME is in multiples of their distance (as of the outer eye corners); null: "
        "of the root of the area of the box around all points",
    )

    @property
    def listed(self) -> list[str]:
        """The names; none where the source knows them."""
        if self.names is None:
            return []
        return [str(name) for name in (range(self.names) if isinstance(self.names, int) else self.names)]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The points of each column pair, x and y."""
        assert self.columns is not None
        for name in self.listed:
            yield self.columns[0].replace("{}", name), self.columns[1].replace("{}", name)

    @model_validator(mode="after")
    def _columns_have_names(self) -> Self:
        if (self.columns is None) != (self.names is None):
            raise ValueError("points.columns and points.names go together")
        if self.columns is None and self.first_pixel:
            raise ValueError("points.first_pixel is for points.columns; the source counts from 0")
        if self.columns is not None and not all(each.count("{}") == 1 for each in self.columns):
            raise ValueError("points.columns must hold {} once each, where the point's name stands")
        if (self.names is not None and len(self.listed) != len(set(self.listed))) or self.names == 0:
            raise ValueError("points.names must be different names, at least one")
        return self

    @model_validator(mode="after")
    def _pairs_are_pairs(self) -> Self:
        swapped = [str(point) for pair in self.swap for point in pair]
        if any(len(pair) != 2 for pair in self.swap) or len(swapped) != len(set(swapped)):
            raise ValueError("points.swap must list pairs of points, each point once")
        unknown = {*swapped, *map(str, self.distance or ())} - set(self.listed)
        if self.names is not None and unknown:
            raise ValueError(f"points.names lacks {', '.join(sorted(unknown))}, which swap or distance name")
        return self
