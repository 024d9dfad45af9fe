"""What every classical model must do: be fitted, be kept as tensors, and answer as sklearn and in ONNX."""

from itertools import pairwise
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from convoy import plugins
from convoy.bundle.onnx_export import export
from convoy.config.model import ModelConfig, fitted
from convoy.config.tables import TablePrepareConfig
from convoy.data import hog
from convoy.data.modalities.table.preparing import stand_in
from convoy.errors import ConfigError, DataError
from convoy.models._classical.body import Classical
from convoy.training import heads, network
from convoy.training.classical import _Seeing
from tests.models.sections import CLASSICAL

CONFIG: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
GAP = float("nan")
CLASSES = ["a", "b", "c"]
WORDS = 20
PREPROCESSORS: dict[str, dict[str, Any]] = {
    "image": {
        "modality": "image", "spec": {"height": 20, "width": 24, "channels": 3}, "classes": CLASSES,
        "mean": [0.4] * 3, "std": [0.25] * 3,
    },
    "text": {
        "modality": "text", "spec": {}, "classes": CLASSES, "vocabulary": [str(n) for n in range(WORDS)],
    },
    "sequence": {
        "modality": "sequence", "spec": {"scale": "none"}, "channels": 2, "length": 30, "classes": CLASSES,
    },
    "table": stand_in(TablePrepareConfig(), CLASSES),
}  # fmt: skip
KINDS = {name: kind for kind, sections in CLASSICAL.items() for name in sections}


def batch(kind: str, count: int = 24) -> Tensor:
    """Samples of three classes, by turns; sequences and texts of several lengths."""
    random = torch.Generator().manual_seed(0)
    if kind == "image":
        pictures = torch.randint(0, 60, (count, 20, 24, 3), generator=random)
        for number in range(3):
            pictures[number::3, 4 * number : 4 * number + 8, 6:18] += 120
        return pictures.to(torch.uint8)
    if kind == "text":
        ids = torch.randint(2, WORDS, (count, 9), generator=random)
        ids[:, 0] = 2 + torch.arange(count) % 3
        ids[3, 5:], ids[4, 1:] = 0, 0
        return ids
    if kind == "sequence":
        values = torch.randn(count, 30, 2, generator=random)
        values[1::3, :, 0] += torch.sin(torch.arange(30) * 1.0) * 3
        values[2::3, :, 1] += torch.sin(torch.arange(30) * 0.3) * 3
        values[3, 12:], values[4, 1:] = GAP, GAP
        return values
    rows = torch.randn(count, 3, generator=random)
    rows[:, 2] = torch.arange(count) % 3
    return rows


def bare(name: str, **changes: Any) -> network.Network:
    torch.manual_seed(0)
    kind = KINDS[name]
    section = {**CLASSICAL[kind][name], **changes}
    return network.build(CONFIG.validate_python(section), PREPROCESSORS[kind]).eval()


def body_of(net: network.Network) -> Classical:
    assert isinstance(net.body, Classical)
    return net.body


def features_of(net: network.Network, samples: Tensor) -> NDArray[np.float32]:
    """Of samples; what the features learn, they learn from these where they know nothing yet."""
    body = body_of(net)
    with torch.inference_mode():
        net.body = body.features
        found: NDArray[np.float32] = net(samples).numpy()
        net.body = body
    return found


def learned(net: network.Network, samples: Tensor) -> network.Network:
    body = body_of(net)
    with torch.inference_mode():
        if body.features.learns:
            net.body = _Seeing(body.features)
            net(samples)
            net.body = body
            body.features.learn(0)
    return net


def whole(name: str, **changes: Any) -> tuple[network.Network, Tensor, Any]:
    """The fitted network, the samples and sklearn's classifier."""
    net, samples = bare(name, **changes), batch(KINDS[name])
    learned(net, samples)
    config = CONFIG.validate_python({**CLASSICAL[KINDS[name]][name], **changes}).classifier  # type: ignore[union-attr]
    sample = heads.Sample(features_of(net, samples), np.arange(len(samples)) % 3, None, 3)
    model, _ = heads.fit(config, body_of(net).head, sample, scaled=False, seed=0, threads=1)
    return net, samples, model


def test_every_classical_model_has_a_section_here() -> None:
    known = {
        name
        for name in plugins.names("model")
        for section in [{"name": name}]
        if name not in ("cnn", "timm") and fitted(CONFIG.validate_python(section))
    }
    assert known == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_before_its_fit_it_has_one_score_a_class(name: str) -> None:
    samples = batch(KINDS[name])
    with torch.inference_mode():
        assert bare(name)(samples).shape == (len(samples), 3)


@pytest.mark.parametrize("name", KINDS)
def test_what_was_fitted_is_in_its_tensors(name: str) -> None:
    net, samples, _ = whole(name)
    fresh = bare(name)
    fresh.load_state_dict(net.state_dict())
    with torch.inference_mode():
        assert torch.equal(fresh(samples), net(samples))
        assert (net(samples).argmax(1).numpy() == np.arange(len(samples)) % 3).mean() > 0.8


@pytest.mark.parametrize("name", KINDS)
def test_tensors_of_a_model_with_other_classes_are_refused(name: str) -> None:
    net, _, _ = whole(name)
    kind = KINDS[name]
    other = network.build(
        CONFIG.validate_python(CLASSICAL[kind][name]), {**PREPROCESSORS[kind], "classes": ["a", "b"]}
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.load_state_dict(net.state_dict())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "sift" else name for name in KINDS]
)
def test_it_answers_alike_in_onnx(name: str) -> None:
    net, samples, _ = whole(name)
    content = export(net, tuple(samples[:2].shape))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    alone = samples[4:5, :1] if KINDS[name] in ("text", "sequence") else samples[4:5]
    for given in (samples, alone):
        [answer] = session.run(None, {net.inputs[0]: given.numpy()})
        with torch.inference_mode():
            np.testing.assert_allclose(answer, net(given).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind in ("text", "sequence")])
def test_padding_further_changes_no_feature(name: str) -> None:
    net, samples, _ = whole(name)
    fill = GAP if samples.is_floating_point() else 0
    wider = torch.cat([samples, torch.full((len(samples), 7, *samples.shape[2:]), fill)], dim=1)
    np.testing.assert_allclose(
        features_of(net, wider.to(samples.dtype)), features_of(net, samples), atol=1e-5
    )


@pytest.mark.parametrize(
    ("height", "width", "channels", "most"),
    [(28, 28, 1, 1e-6), (64, 64, 3, 1e-6), (6, 6, 1, 1e-6), (70, 100, 3, 0.01)],
    ids=["grey", "colour", "tiny", "reduced"],
)
def test_hog_is_the_baselines(height: int, width: int, channels: int, most: float) -> None:
    """But for whole grey levels, to which OpenCV rounds pictures that it reduces: nearly."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (5, 8, 8, channels))
    pictures = np.kron(coarse, np.ones((1, -(-height // 8), -(-width // 8), 1)))[:, :height, :width]
    images = np.clip(pictures + random.integers(0, 9, pictures.shape), 0, 255).astype(np.uint8)
    spec = {"height": height, "width": width, "channels": channels}
    preprocessor = {**PREPROCESSORS["image"], "spec": spec, "mean": [0.4] * channels, "std": [0.3] * channels}
    net = network.build(CONFIG.validate_python({"name": "hog"}), preprocessor).eval()
    found = features_of(net, torch.from_numpy(images))
    assert np.abs(found - hog.features(images)).mean() < most


def test_tfidf_is_sklearns() -> None:
    net, samples, _ = whole("tfidf")
    texts = [[f"w{number}" for number in row[row != 0].tolist()] for row in samples]
    theirs = TfidfVectorizer(
        analyzer=lambda row: [*row, *(f"{a} {b}" for a, b in pairwise(row))],
        sublinear_tf=True,
    ).fit_transform(texts)
    ours = features_of(net, samples)
    assert ours.shape == theirs.shape
    # the columns are in another order, so the texts are compared with one another
    np.testing.assert_allclose(ours @ ours.T, (theirs @ theirs.T).toarray(), atol=1e-5)


def test_the_runs_in_most_texts_are_kept() -> None:
    net = learned(bare("tfidf", max_features=3, ngrams=1), batch("text"))
    key: Any = body_of(net).features.get_buffer("key")
    assert len(key) == 3
    assert {2, 3, 4} & set(key.tolist())
    assert key.tolist() == sorted(key.tolist())


def test_runs_that_are_too_rare_are_named() -> None:
    with pytest.raises(DataError, match="no run of tokens is in 99 texts"):
        learned(bare("tfidf", min_count=99), batch("text"))


def test_pictures_too_small_for_a_descriptor_are_refused() -> None:
    with pytest.raises(ConfigError, match="sift cannot take images of 20×24"):
        bare("sift", cell=8)


def test_more_words_than_descriptors_are_refused() -> None:
    with pytest.raises(DataError, match="descriptors for 4000 words"):
        learned(bare("sift", words=4000), batch("image"))


def test_random_kernels_are_those_of_the_seed() -> None:
    first, second = (body_of(bare("rocket")).features.get_buffer("kernel") for _ in range(2))
    assert torch.equal(first, second)
    torch.manual_seed(1)
    other = network.build(CONFIG.validate_python(CLASSICAL["sequence"]["rocket"]), PREPROCESSORS["sequence"])
    assert not torch.equal(body_of(other).features.get_buffer("kernel"), first)


def test_kernels_reach_from_neighbours_to_the_whole_sequence() -> None:
    preprocessor = {**PREPROCESSORS["sequence"], "length": 200}
    net = network.build(CONFIG.validate_python({"name": "rocket", "kernels": 100}), preprocessor)
    groups: Any = body_of(net).features
    dilations = [dilation for dilation, _ in groups._groups]
    assert dilations[0] == 1
    assert 150 <= 8 * dilations[-1] < 200
    assert sum(count for _, count in groups._groups) == 100
