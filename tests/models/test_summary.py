"""The layer table against counts by hand, and its drawing."""

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.models._drawing import draw
from convoy.models._spec import NetworkSpec
from convoy.models._summary import Summary, summarise
from tests.models.sections import CNNS, SECTIONS

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def table(section: dict[str, object], shape: tuple[int, int, int] = (1, 28, 28)) -> Summary:
    config = CONFIG.validate_python(section)
    return summarise(plugins.load("model", config.name).build(config, NetworkSpec(*shape, 10)), shape)


def test_lenet5_as_counted_by_hand() -> None:
    found = table(SECTIONS["lenet5"])
    convolutions = [row for row in found.rows if row.kind == "Conv2d"]
    assert [row.shape for row in convolutions] == [(6, 28, 28), (16, 10, 10)]
    assert [row.parameters for row in convolutions] == [6 * 25 + 6, 16 * 150 + 16]
    assert [row.multiply_adds for row in convolutions] == [6 * 28 * 28 * 25, 16 * 10 * 10 * 150]
    # 5, +1 by the pooling, +4·2 by the second convolution, +1·2 by its pooling, then the whole picture
    sees = [row.sees for row in found.rows if row.kind != "Tanh"]
    assert sees == [(5, 5), (6, 6), (14, 14), (16, 16), None, None, None, None]
    dense = [row.multiply_adds for row in found.rows if row.kind == "Linear"]
    assert dense == [400 * 120, 120 * 84, 84 * 10]
    assert found.parameters == 61_706
    assert found.multiply_adds == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert [row.depth for row in found.rows if row.parameters] == [0, 1, 2, 3, 4]


def test_strides_and_dilation_widen_what_is_seen() -> None:
    flat = {"channels": 2, "pool": "none", "norm": "none", "activation": "none"}
    found = table(
        {
            "name": "cnn",
            "blocks": [{**flat, "stride": 2}, {**flat, "dilation": 3}, {**flat, "kernel": [1, 5]}],
        }
    )
    # 3; + 2·3·2 = 15; + (0, 4·2) = (15, 23)
    assert [row.sees for row in found.rows[:3]] == [(3, 3), (15, 15), (15, 23)]


def test_grouped_convolutions_cost_their_share() -> None:
    flat = {"channels": 8, "pool": "none", "norm": "none"}
    found = table({"name": "cnn", "blocks": [flat, {**flat, "kind": "depthwise"}]})
    costs = [row.multiply_adds for row in found.rows if row.kind == "Conv2d"]
    assert costs == [28 * 28 * 8 * 9, 28 * 28 * 8 * 9]


def test_where_paths_join_the_largest_field_counts() -> None:
    section = {"name": "cnn", "blocks": [{"type": "residual", "channels": 4, "stride": 2}]}
    rows = {row.name: row for row in table(section).rows}
    assert rows["0.shortcut.0"].sees == (1, 1)
    assert rows["0.branch.3"].sees == (3 + 2 * 2, 3 + 2 * 2)
    assert rows["0.last.0"].sees == (7, 7)


@pytest.mark.parametrize("name", [*(name for name in SECTIONS if name != "timm"), *CNNS])
def test_rows_add_up_and_the_network_stays_as_it_was(name: str) -> None:
    config = CONFIG.validate_python({**SECTIONS, **CNNS}[name])
    torch.manual_seed(0)
    body = plugins.load("model", config.name).build(config, NetworkSpec(1, 28, 28, 10))
    before = {key: value.clone() for key, value in body.state_dict().items()}
    found = summarise(body, (1, 28, 28))
    assert sum(row.parameters for row in found.rows) == found.parameters
    assert sum(row.multiply_adds for row in found.rows) == found.multiply_adds
    assert found.rows[-1].shape == (10,)
    assert body.training
    assert all(torch.equal(before[key], value) for key, value in body.state_dict().items())


def test_a_batch_of_any_layer_is_computed_on_shapes_alone() -> None:
    huge = nn.Sequential(
        nn.Conv2d(3, 64, 7, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )
    found = summarise(huge, (3, 4096, 4096))
    assert found.multiply_adds == 2045 * 2045 * 64 * 147 + 640


@pytest.mark.parametrize("suffix", [".svg", ".png"])
@pytest.mark.parametrize("name", ["lenet5", "resnet"])
def test_equal_networks_are_drawn_in_equal_bytes(tmp_path: Path, suffix: str, name: str) -> None:
    found = table(SECTIONS[name])
    for one in ("a", "b"):
        draw(found, name, tmp_path / f"{one}{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    assert content == (tmp_path / f"b{suffix}").read_bytes()
    if suffix == ".svg":
        assert b"http" not in content.replace(b"http://www.w3.org", b"").split(b"<defs>", 1)[1]
        assert content.count(b'id="patch_') > 5
