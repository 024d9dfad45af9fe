"""params.yaml read and checked: every error at once, each with line, column and a suggestion."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from convoy.config._base import Section
from convoy.config.schema import Config
from convoy.errors import ConfigError

Location = tuple[int | str, ...]


def load(path: Path) -> Config:
    """The checked configuration.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or breaks a rule. All broken rules are listed.
    """
    tree = _parse(path)
    try:
        return Config.model_validate(_plain(tree))
    except ValidationError as error:
        problems = _problems(path, tree, error.errors(include_url=False))
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        raise ConfigError(
            f"{count} in {path.name}\n" + "\n".join(f"  {problem}" for problem in problems),
            fix="mend these lines; `convoy config schema` describes every key",
        ) from None


def _parse(path: Path) -> CommentedMap:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot read the parameters: {error.strerror}",
            where=str(path),
            fix="run in the project's folder, or restore the file from recipes/",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            "the parameters are not UTF-8 text", where=f"{path}, byte {error.start}", fix="save it as UTF-8"
        ) from None
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(f"not valid YAML: {error.problem}", where=where, fix="mend that line") from None
    except YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path), fix="mend the file") from None
    if not isinstance(tree, CommentedMap):
        raise ConfigError(
            "the parameters are not a mapping of sections",
            where=str(path),
            fix="start from one of the files in recipes/",
        )
    return tree


def _plain(node: Any) -> Any:
    """Plain dicts, lists and scalars; ruamel's own scalar types would fail strict checks."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _problems(path: Path, tree: CommentedMap, details: Sequence[ErrorDetails]) -> list[str]:
    """One line a problem, in the file's order; a key missing because it is misspelt is told once."""
    located = [
        (tuple(part for part in detail["loc"] if not _is_tag(tree, detail["loc"], part)), detail)
        for detail in details
    ]
    misspelt = {
        (*location[:-1], close)
        for location, detail in located
        if detail["type"] == "extra_forbidden"
        and (close := _closest(str(location[-1]), _siblings(tree, detail["loc"])))
    }
    found = [
        (_position(tree, location), _describe(path, tree, location, detail))
        for location, detail in located
        if not (detail["type"] == "missing" and location in misspelt)
    ]
    return [text for _, text in sorted(found)]


def _describe(path: Path, tree: CommentedMap, location: Location, detail: ErrorDetails) -> str:
    line, column = _position(tree, location)
    dotted = ".".join(str(part) for part in location)
    kind = detail["type"]
    if kind == "extra_forbidden":
        suggestion = _did_you_mean(str(location[-1]), _siblings(tree, detail["loc"]))
        message = f"unknown key {dotted!r}{suggestion}"
    elif kind == "missing":
        message = f"missing key {dotted!r}"
    elif kind in ("literal_error", "union_tag_invalid"):
        expected = str(
            (detail.get("ctx") or {}).get("expected") or (detail.get("ctx") or {})["expected_tags"]
        )
        choices = [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]
        given = detail["input"].get("name") if isinstance(detail["input"], dict) else detail["input"]
        if kind == "union_tag_invalid":
            key = "type" if "type" in detail["input"] else "name"
            given = detail["input"].get(key)
            dotted += f".{key}"
            line, column = _position(tree, (*location, key))
        message = f"{dotted}: {given!r} is none of {', '.join(choices)}{_did_you_mean(str(given), choices)}"
    else:
        text = detail["msg"].removeprefix("Value error, ")
        shown = "" if isinstance(detail["input"], dict) else f", not {detail['input']!r}"
        message = f"{dotted}: {text[0].lower()}{text[1:]}{shown}"
    return f"{path.name}:{line}:{column}: {message}"


def _is_tag(tree: CommentedMap, location: Location, part: int | str) -> bool:
    """pydantic puts the chosen member of a union into the location; the file has no such key."""
    node: Any = tree
    for step in location:
        if isinstance(node, CommentedMap):
            tag = _tag(node)
            if step == part and step not in node and step == tag:
                return True
            node = node.get(step, node if step == tag else None)
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return step == part and part in ("constrained-int", "int", "literal['auto']")
    return False


def _tag(node: CommentedMap) -> Any:
    """What chooses the member of a union: the name of a section, or the type of a block of a network."""
    return node["name"] if "name" in node else node.get("type", "conv")


def _position(tree: CommentedMap, location: Location) -> tuple[int, int]:
    """Line and column (from 1) of the deepest part of `location` that the file has."""
    node: Any = tree
    line, column = 0, 0
    for step in location:
        if isinstance(node, CommentedMap) and step in node:
            line, column = node.lc.key(step)
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line, column = node.lc.item(step)
        else:
            break
        node = node[step]
    return line + 1, column + 1


def _siblings(tree: CommentedMap, location: Location) -> list[str]:
    """The keys that the schema knows at the place of an unknown one."""
    fields: Mapping[str, FieldInfo] = Config.model_fields
    node: Any = tree
    annotation: Any = None
    for step in location[:-1]:
        if isinstance(step, int):
            node = node[step]
            fields = _fields_of(annotation, node)
            continue
        names = {(info.alias or name): info for name, info in fields.items()}
        node = node.get(step, node) if isinstance(node, CommentedMap) else node
        if step in names:
            annotation = names[step].annotation
            fields = _fields_of(annotation, node)
    return [info.alias or name for name, info in fields.items()]


def _fields_of(annotation: Any, node: Any) -> Mapping[str, FieldInfo]:
    """Fields of the section that an annotation holds; of a union, the member that `node` names."""
    found: list[type[Section]] = []
    pending = [annotation]
    while pending:
        part = pending.pop()
        if isinstance(part, type) and issubclass(part, Section):
            found.append(part)
        pending.extend(getattr(part, "__args__", ()))
    for section in found if isinstance(node, CommentedMap) else ():
        tag = section.model_fields.get("name") or section.model_fields.get("type")
        if tag is not None and _tag(node) in getattr(tag.annotation, "__args__", ()):
            return section.model_fields
    keys = set(node) if isinstance(node, CommentedMap) else set()
    likely = max(found, key=lambda section: len(keys & section.model_fields.keys()), default=None)
    return likely.model_fields if likely else {}


def _did_you_mean(given: str, choices: Sequence[str]) -> str:
    close = _closest(given, choices)
    return f"; did you mean {close!r}?" if close else ""


def _closest(given: str, choices: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(given, choices, n=1, cutoff=0.5)), None)
