"""Which labels are doubtful: confident learning (Northcutt et al., 2021), by cleanlab."""

import warnings

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

_DOUBT = 0.2  # a label that is given more is not doubted


def doubted(codes: Codes, probabilities: Floats) -> NDArray[np.bool_]:
    """(N,): cleanlab estimates the label to be wrong by class and by noise rate, and it is improbable.

    The second condition matters where the model is weak: of cats and dogs in thumbnails it is right about
    70 %, and without it a quarter of the labels would be doubted.
    """
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes without a sample that is sure; they are judged all the same
        found: NDArray[np.bool_] = find_label_issues(codes, probabilities, filter_by="both", n_jobs=1)
    given = probabilities[np.arange(len(codes)), codes]
    result: NDArray[np.bool_] = found & (given < _DOUBT) & (probabilities.argmax(axis=1) != codes)
    return result


def quality(codes: Codes, probabilities: Floats) -> Floats:
    """(N,) the label's probability by the model, cleanlab's `self_confidence`; the lowest is doubted most."""
    from cleanlab.rank import (
        get_label_quality_scores,
    )

    found: Floats = get_label_quality_scores(codes, probabilities, method="self_confidence")
    return found
