"""What a bundle holds of a modality, and what its card says: one module a modality.

CODE            module of the package -> its name in the bundle's code/, besides the part of serving
REQUIREMENTS    packages that prediction needs
ENDING          of the golden samples' files
contents(store, rows) -> list[bytes]                 the golden samples as somebody would send them
inputs(store, rows, preprocessor) -> array           the same as the network takes them
described(network) -> dict[str, Any]                 "input" in bundle.json
changed(network, model) -> dict[str, Any]            what the network applies in place of the preprocessor's
words(info) -> Words                                 for the card
"""
