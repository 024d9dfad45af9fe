"""What a bundle says of an objective, and which samples prove it: one module an objective.

ACTIVATION                                 what turns the network's outputs into the answer, in bundle.json
golden(store) -> rows                      positions of the golden samples
said(store, rows, preprocessor) -> list    their targets, as golden.json tells them
described(sources) -> dict[str, Any]       keys of bundle.json
reference(...) -> DataFrame | None         see `convoy.bundle.reference`; None: nothing is compared later
CARD                                       the card's words: see `convoy.bundle.card.Says`
"""
