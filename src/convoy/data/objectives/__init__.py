"""What prepared samples hold to be learned: one module an objective.

TASKS                                               of a source (see `convoy.data.sources._base`) that suit it
fit(out, samples, facts, data, classes) -> dict     adds its arrays to the stores train/, val/ and test/
                                                    that the modality wrote into `out`; gives what
                                                    preprocessor.json holds besides (`classes`, the names of
                                                    the network's outputs, where they are not the source's)
"""
