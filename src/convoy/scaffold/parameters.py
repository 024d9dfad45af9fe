"""params.yaml of a new project: a recipe with its comments, and in it what fits the data."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from convoy.errors import ConfigError
from convoy.pipeline.code import shipped
from convoy.scaffold.choices import Choices

RECIPE = "image_folder"

_MAX_BAD = 0.05


class _Representer(RoundTripRepresenter):
    """Writes `null` where others write nothing."""

    def represent_none(self, _data: None) -> ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def recipe(name: str | None) -> str:
    """The text of a recipe: one of convoy's by name, or a file.

    Raises:
        ConfigError: there is none.
    """
    if name is not None and name.endswith((".yaml", ".yml")):
        try:
            return Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read the recipe: {error}", where=name, fix="name a params.yaml"
            ) from None
    folder = shipped(f"recipes/{RECIPE}.yaml").parent
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if (name or RECIPE) not in known:
        raise ConfigError(
            f"no recipe is called {name!r}", fix=f"choose one of: {', '.join(known)}, or a file"
        )
    return (folder / f"{name or RECIPE}.yaml").read_text(encoding="utf-8")


def text(
    base: str, *, header: str, name: str, path: str, options: Mapping[str, str], choices: Choices | None
) -> str:
    """The parameters.

    Args:
        base: a recipe's text.
        header: comment lines at the top, without `# `.
        name: of the model and the experiment.
        path: of the data, relative to the project.
        options: of section `data` besides path.
        choices: None: the recipe's own are kept.

    Raises:
        ConfigError: the recipe is no params.yaml.
    """
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        tree = yaml.load(base)
        tree["data"] = _data(path, options)
        tree["register"]["model"] = name
        tree["tracking"]["experiment"] = name
        if choices is not None:
            _fit(tree, choices)
    except (YAMLError, LookupError, TypeError) as error:
        raise ConfigError(
            f"the recipe is no params.yaml: {error}", fix="start from one of convoy's"
        ) from None
    tree.ca.comment = None
    out = StringIO()
    yaml.dump(tree, out)
    return "".join(f"# {line}\n" for line in header.splitlines()) + _spaced(out.getvalue())


def _spaced(text: str) -> str:
    """An empty line before each section, and none elsewhere."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "".join(f"{line}\n" if line[0] in " #-" else f"\n{line}\n" for line in lines)


def _data(path: str, options: Mapping[str, str]) -> CommentedMap:
    section = CommentedMap({"source": options["source"], "path": path})
    section.update({key: value for key, value in options.items() if key != "source"})
    section.yaml_add_eol_comment("versioned by DVC", "path", column=29)
    return section


def _fit(tree: Any, choices: Choices) -> None:
    tree["validate"]["max_bad_fraction"] = _MAX_BAD
    tree["prepare"].update(height=choices.side, width=choices.side, channels=choices.channels)
    augment = tree["augment"]
    if choices.mirror:
        augment["transforms"].append(CommentedMap({"name": "HorizontalFlip", "p": 0.5}))
    if choices.preset is not None:
        augment.pop("preset", None)
        at = list(augment).index("transforms")
        said = "digits | photos | documents | medical_grey | null"
        augment.insert(at, "preset", choices.preset, comment=said)
        augment["transforms"] = []
    tree["model"]["blocks"] = [CommentedMap({"channels": count}) for count in choices.blocks]
    train = tree["train"]
    train.update(epochs=choices.epochs, batch_size=choices.batch_size)
    train["optimizer"]["lr"] = choices.lr
    train["early_stopping"]["patience"] = max(8, choices.epochs // 3)
    tree["evaluate"]["robustness_samples"] = choices.robustness_samples
    gate = tree["register"]["gate"]
    gate.update(metric=choices.metric, minimum=choices.minimum, max_ece=choices.max_ece, beat_baseline=False)
    gate.yaml_add_eol_comment(
        "above always naming the largest class; raise it to what you need", "minimum", 29
    )
    gate.yaml_add_eol_comment(
        "true: the baseline of `evaluate` must be beaten, with its interval", "beat_baseline", 29
    )
