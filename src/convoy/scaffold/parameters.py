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

from convoy import plugins
from convoy.errors import ConfigError
from convoy.pipeline.code import shipped

RECIPE = "image_folder"


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
    base: str,
    *,
    header: str,
    name: str,
    path: str,
    options: Mapping[str, Any],
    choices: Any,
    modality: str = "image",
) -> str:
    """The parameters.

    Args:
        base: a recipe's text.
        header: comment lines at the top, without `# `.
        name: of the model and the experiment.
        path: of the data, relative to the project.
        options: of section `data` besides path.
        choices: of the modality's part; None: the recipe's own are kept.

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
            plugins.load("scaffold", modality).fit(tree, choices)
    except (YAMLError, LookupError, TypeError) as error:
        raise ConfigError(
            f"the recipe is no params.yaml: {error}", fix="start from one of convoy's"
        ) from None
    tree.ca.comment = None
    out = StringIO()
    yaml.dump(tree, out)
    return "".join(f"# {line}\n" for line in header.splitlines()) + _spaced(out.getvalue())


def with_modality(text: str) -> str | None:
    """A params.yaml of the time when all samples were pictures, with the line that says so; None: it has one.

    Every other byte stays.
    """
    try:
        section = YAML().load(text)["data"]
        if "modality" in section or section.fa.flow_style():
            return None
        line, column = section.lc.key(next(iter(section)))
    except (YAMLError, LookupError, TypeError, AttributeError, StopIteration):
        return None  # `convoy run` says what is wrong with it
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:line], " " * column + "modality: image\n", *lines[line:]])


def _spaced(text: str) -> str:
    """An empty line before each section, and none elsewhere."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "".join(f"{line}\n" if line[0] in " #-" else f"\n{line}\n" for line in lines)


def _data(path: str, options: Mapping[str, Any]) -> CommentedMap:
    section = CommentedMap({key: options[key] for key in ("modality", "source") if key in options})
    section["path"] = path
    section.update({key: value for key, value in options.items() if key not in section})
    section.yaml_add_eol_comment("versioned by DVC", "path", column=29)
    return section
