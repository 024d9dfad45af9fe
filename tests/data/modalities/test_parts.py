"""A modality is complete: it has its part in every layer, and the stages find no other."""

from typing import get_args

import pytest

from convoy import plugins
from convoy.config.data import DataConfig
from convoy.errors import ConfigError

PARTS = sorted(plugins.PLACES.keys() - {"source", "model", *plugins.OF_OBJECTIVES})
MODALITIES = plugins.names("preparing")


@pytest.mark.parametrize("part", PARTS)
def test_every_modality_has_this_part(part: str) -> None:
    assert plugins.names(part) == MODALITIES


def test_the_configuration_offers_those_that_there_are() -> None:
    assert sorted(get_args(DataConfig.model_fields["modality"].annotation)) == MODALITIES


def test_an_unknown_modality_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no preparing is called 'smell'") as error:
        plugins.load("preparing", "smell")
    assert "image" in str(error.value.fix)
