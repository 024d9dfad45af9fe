from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from convoy import io
from convoy.config.model import LeNet5Config, MnistCnnConfig
from convoy.errors import IntegrityError
from convoy.training import network
from tests.toys import write_prepared


def test_normalisation_is_part_of_the_network(tmp_path: Path) -> None:
    preprocessor = write_prepared(tmp_path)
    net = network.build(LeNet5Config(name="lenet5"), preprocessor).eval()
    images = torch.randint(0, 256, (3, 12, 12, 1), dtype=torch.uint8)
    by_hand = (images.permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.25
    torch.testing.assert_close(net(images), net.body(by_hand))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    preprocessor = write_prepared(tmp_path / "prepared")
    other = network.build(LeNet5Config(name="lenet5"), preprocessor)
    (tmp_path / "train").mkdir()
    save_file(other.state_dict(), tmp_path / "train" / "model.safetensors")
    section = MnistCnnConfig(name="mnist_cnn").model_dump()
    io.write_json(tmp_path / "train" / "training.json", {"model": section})
    with pytest.raises(IntegrityError, match="weights do not fit"):
        network.load(tmp_path / "train", preprocessor)
