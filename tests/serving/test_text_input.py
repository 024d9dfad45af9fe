"""Texts on their way to the network."""

from convoy.gate.scoring import _prepared
from convoy.serving.inputs import text

SPEC = {"tokens": "words", "lowercase": True, "normalise": "NFC", "max_length": 8}


class Model:
    """What the gate needs of a predictor."""

    def __init__(self, vocabulary: list[str]) -> None:
        self._input = text.of({"spec": SPEC, "vocabulary": vocabulary})
        self.spec, self.prepare, self.batch = self._input.spec, self._input.prepare, self._input.batch


def test_models_with_other_vocabularies_get_ids_of_their_own() -> None:
    challenger = Model(["<pad>", "<unk>", "good", "bad"])
    champion = Model(["<pad>", "<unk>", "bad", "good"])
    first, second, third = _prepared([challenger, champion, challenger], [b"good bad"])
    assert first.tolist() == third.tolist() == [[2, 3]]
    assert second.tolist() == [[3, 2]]
