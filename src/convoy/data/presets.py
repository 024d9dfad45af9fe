"""Augmentation for kinds of data: what `augment.preset` stands for.

Each is a moderate list to begin with, weak enough that no label changes its meaning. A preset is written out
in full into policy.json, so a later change here changes no model that exists.
"""

from typing import Any

from convoy.config.augment import AugmentConfig, PresetName

Transforms = list[dict[str, Any]]

PRESETS: dict[PresetName, Transforms] = {
    # Upright glyphs: turned, scaled and moved a little; never mirrored, a mirrored 2 is no digit.
    "digits": [
        {
            "name": "Affine",
            "rotate": [-10, 10],
            "scale": [0.9, 1.1],
            "translate_percent": [-0.08, 0.08],
            "p": 0.8,
        },
    ],
    # Things seen from anywhere, in any light (the usual recipe since Szegedy et al. 2015, with milder crops:
    # prepared pictures are small, and a crop of 8 % of one shows nothing).
    "photos": [
        {"name": "RandomResizedCrop", "scale": [0.35, 1.0], "ratio": [0.75, 1.3333], "p": 1.0},
        {"name": "HorizontalFlip", "p": 0.5},
        {
            "name": "ColorJitter",
            "brightness": [0.7, 1.3],
            "contrast": [0.7, 1.3],
            "saturation": [0.7, 1.3],
            "hue": [-0.05, 0.05],
            "p": 0.8,
        },
    ],
    # Scans and photographs of paper: slightly skewed, unevenly lit, out of focus, grainy; paper goes on as
    # white.
    "documents": [
        {
            "name": "Affine",
            "rotate": [-3, 3],
            "shear": [-3, 3],
            "scale": [0.95, 1.05],
            "translate_percent": [-0.03, 0.03],
            "fill": 255,
            "p": 0.7,
        },
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": [-0.15, 0.15],
            "contrast_limit": [-0.2, 0.2],
            "p": 0.5,
        },
        {"name": "GaussianBlur", "sigma_limit": [0.2, 1.0], "p": 0.2},
        {"name": "GaussNoise", "std_range": [0.01, 0.04], "p": 0.3},
    ],
    # Radiographs and the like: small movements, the detector's gain and noise. Mirrored, which suits most
    # organs and lesions; not where the side is the finding (situs inversus): list the transforms there
    # instead.
    "medical_grey": [
        {
            "name": "Affine",
            "rotate": [-7, 7],
            "scale": [0.93, 1.07],
            "translate_percent": [-0.04, 0.04],
            "p": 0.7,
        },
        {"name": "HorizontalFlip", "p": 0.5},
        {"name": "RandomGamma", "gamma_limit": [80, 125], "p": 0.4},
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": [-0.1, 0.1],
            "contrast_limit": [-0.15, 0.15],
            "p": 0.4,
        },
        {"name": "GaussNoise", "std_range": [0.005, 0.02], "p": 0.2},
    ],
}


def transforms(config: AugmentConfig) -> Transforms:
    """The preset's transforms, then those of the section, as `Policy` takes them."""
    own = [{"name": step.name, **step.arguments()} for step in config.transforms]
    return [*(dict(step) for step in PRESETS[config.preset]), *own] if config.preset else own
