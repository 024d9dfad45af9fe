"""Losses, each from its definition: (N, …) outputs and targets -> one loss a sample, (N,).

Class targets are indices (N,) int64 or probabilities (N, classes), as mixed samples have. Outputs of a
smaller type than fp32 are widened; float64 stays as it is, for gradients to be checked in.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.objective import (
    BceConfig,
    ClassLoss,
    FocalConfig,
    LabelLoss,
    MaeConfig,
    MseConfig,
    SmoothL1Config,
    ValueLoss,
)

Loss = Callable[[Tensor, Tensor], Tensor]


def wide(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def probabilities(target: Tensor, classes: int, smoothing: float = 0.0) -> Tensor:
    """Class targets as (N, classes), with `smoothing` of each spread over all (Szegedy et al. 2016)."""
    plain = target if target.is_floating_point() else functional.one_hot(target, classes).float()
    return plain if smoothing == 0 else (1 - smoothing) * plain + smoothing / classes


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """-sum over c of weight_c target_c log p_c."""
    return functional.cross_entropy(
        logits, target, weight=weights, label_smoothing=smoothing, reduction="none"
    )


def focal(
    logits: Tensor, target: Tensor, weights: Tensor | None, smoothing: float, *, gamma: float
) -> Tensor:
    """-sum over c of weight_c target_c (1 - p_c)^gamma log p_c (Lin et al. 2017, over a softmax)."""
    log_p = logits.log_softmax(1)
    # (1 - p)^gamma has no finite slope at p = 1 where gamma < 1
    easy = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).eps)
    terms = -probabilities(target, logits.shape[1], smoothing) * easy**gamma * log_p
    return (terms if weights is None else terms * weights).sum(1)


def one_against_rest(logits: Tensor, target: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """Mean over the classes of the binary cross-entropy of sigmoid(logit)."""
    wanted = probabilities(target, logits.shape[1], smoothing).to(logits.dtype)
    terms = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return _weighted(terms.mean(1), target, weights)


def of_probabilities(
    distance: Loss, logits: Tensor, target: Tensor, weights: Tensor | None, smoothing: float
) -> Tensor:
    """Mean over the classes of a distance between softmax(logits) and the target's probabilities."""
    wanted = probabilities(target, logits.shape[1], smoothing).to(logits.dtype)
    return _weighted(distance(logits.softmax(1), wanted).mean(1), target, weights)


def _weighted(losses: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return losses
    return losses * (target.to(weights.dtype) @ weights if target.is_floating_point() else weights[target])


def of_classes(config: ClassLoss) -> Callable[[Tensor, Tensor, Tensor | None, float], Tensor]:
    """(logits (N, C), target, weights (C,) or None, smoothing) -> (N,)."""
    if isinstance(config, FocalConfig):
        gamma = config.gamma
        return lambda logits, target, weights, smoothing: focal(
            logits, target, weights, smoothing, gamma=gamma
        )
    if isinstance(config, BceConfig):
        return one_against_rest
    if isinstance(config, MseConfig | MaeConfig | SmoothL1Config):
        distance = distances(config)
        return lambda logits, target, weights, smoothing: of_probabilities(
            distance, logits, target, weights, smoothing
        )
    return cross_entropy


def distances(config: ValueLoss) -> Loss:
    """Element by element: squared, absolute, or smooth L1."""
    if isinstance(config, SmoothL1Config):
        return nn.SmoothL1Loss(reduction="none", beta=config.beta)
    return nn.MSELoss(reduction="none") if isinstance(config, MseConfig) else nn.L1Loss(reduction="none")


def of_values(config: ValueLoss) -> Loss:
    """(outputs (N, K), target (N, K)) -> (N,): mean over the K values."""
    distance = distances(config)
    return lambda outputs, target: distance(outputs, target).mean(1)


def of_labels(config: LabelLoss, positive_weights: Tensor | None) -> Loss:
    """(logits (N, K), target (N, K) of 0 and 1) -> (N,): mean over the K labels.

    Args:
        positive_weights: (K,), of binary cross-entropy's term for labels that hold.
    """
    if isinstance(config, BceConfig):
        return lambda logits, target: functional.binary_cross_entropy_with_logits(
            logits, target, pos_weight=positive_weights, reduction="none"
        ).mean(1)
    gamma, alpha = config.gamma, config.alpha
    return lambda logits, target: sigmoid_focal(logits, target, gamma=gamma, alpha=alpha).mean(1)


def sigmoid_focal(logits: Tensor, target: Tensor, *, gamma: float, alpha: float | None) -> Tensor:
    """-alpha_t (1 - p_t)^gamma log p_t of each label (Lin et al. 2017, equation 5), (N, K)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = logits.sigmoid()
    missed = (p + target - 2 * p * target).clamp(min=torch.finfo(p.dtype).eps)  # 1 - p_t
    losses = missed**gamma * entropy
    return losses if alpha is None else losses * (alpha * target + (1 - alpha) * (1 - target))
