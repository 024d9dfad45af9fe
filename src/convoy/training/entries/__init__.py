"""From a batch to what the architectures take: one module a modality.

build(config, preprocessor, *, pretrained) -> Network
shape(preprocessor, rows) -> tuple[int, ...]     of the first input of a training batch, as it usually is
params(preprocessor) -> dict[str, Any]           what is worth comparing between runs
"""
