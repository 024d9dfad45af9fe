"""The augmentation policy that fits prepared data, whatever their modality and objective."""

from collections.abc import Mapping, Sequence
from typing import Any

from convoy import plugins


def of(preprocessor: Mapping[str, Any], transforms: Sequence[Mapping[str, Any]]) -> Any:
    """The modality's policy; where there are points, it knows which are exchanged in a mirror.

    Args:
        preprocessor: of preprocessor.json.
        transforms: of policy.json.
    """
    known = {"mirror": preprocessor["mirror"]} if preprocessor.get("mirror") is not None else {}
    return plugins.load("augmenting", preprocessor["modality"]).policy(transforms, **known)
