"""What a training is called where runs are listed, and which of its settings are shown there.

`facts` are those of training.json: model, objective, train, augment, and where it ran.
"""

from collections.abc import Mapping
from typing import Any

from convoy.data.mixing import Mixing
from convoy.training import classical, network


def name(facts: Mapping[str, Any], key: str) -> str:
    """Model, optimiser and rate, or classifier; and the beginning of the training's key."""
    optimizer = facts["train"]["optimizer"]
    model = facts["model"].get("architecture", facts["model"]["name"])
    if "classifier" in facts["model"]:
        return f"{model}-{facts['model']['classifier']['name']}-{key[:4]}"
    return f"{model}-{optimizer['name']}-lr{optimizer['lr']:g}-{key[:4]}"


def params(facts: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    """The settings worth comparing between runs, flat and short."""
    settings = facts["train"]
    stopping = settings["early_stopping"]
    transforms = (
        [step["name"] for step in facts["augment"]["transforms"]] if facts["augment"]["online"] else []
    )
    found = {
        **{f"model.{name}": value for name, value in facts["model"].items()},
        **{f"optimizer.{name}": value for name, value in settings["optimizer"].items()},
        **{f"schedule.{name}": value for name, value in settings["schedule"].items()},
        "early_stopping": f"{stopping['monitor']}, patience {stopping['patience']}" if stopping else "off",
        "epochs": settings["epochs"],
        "batch_size": settings["batch_size"],
        "seed": settings["seed"],
        "loss": facts["objective"]["loss"]["name"],
        **{n: facts["objective"][n] for n in ("label_smoothing",) if n in facts["objective"]},
        "augment.online": " ".join(transforms) or "none",
        "augment.mixing": str(Mixing.of(facts["augment"]) or "none"),
        "augment.offline_copies": facts["augment"]["offline_copies"],
        **network.entry(preprocessor).params(preprocessor),
        "classes": len(preprocessor["classes"]),
        "device": facts["device"],
        "precision": facts["precision"],
        "memory_format": facts["memory_format"],
        "compile": facts["compile"],
        "threads": facts["threads"],
        "ranks": facts["ranks"],
    }
    return classical.described(facts["model"], found) if "classifier" in facts["model"] else found
