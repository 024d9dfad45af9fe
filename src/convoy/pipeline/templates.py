"""What dvc.yaml fills in from params.yaml must stand there: DVC knows no defaults, and has its own words."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convoy import provenance
from convoy.config.schema import Config
from convoy.errors import ConfigError
from convoy.layout import PARAMS
from convoy.pipeline.code import GRAPH

_TEMPLATE = re.compile(r"\$\{([a-z_.]+)\}")


def check(root: Path, config: Config) -> None:
    """
    Args:
        config: as it was read, with its defaults.

    Raises:
        ConfigError: dvc.yaml names a parameter that has a default and does not stand in params.yaml.
    """
    path = root / GRAPH
    if not path.is_file():
        return
    params = provenance.read_yaml(root / PARAMS)
    wanted = dict.fromkeys(_TEMPLATE.findall(path.read_text(encoding="utf-8")))
    for dotted in wanted:
        if not _stands(params, dotted):
            *sections, key = dotted.split(".")
            line = f"{key}: {_default(config, dotted)}"
            raise ConfigError(
                f"params.yaml lacks {dotted}, which dvc.yaml fills in",
                where=f"{PARAMS}: section {'.'.join(sections)}",
                fix=f"add this line to the section: {line}",
            )


def _stands(params: Mapping[str, Any], dotted: str) -> bool:
    node: Any = params
    for part in dotted.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def _default(config: Config, dotted: str) -> Any:
    node: Any = config.model_dump(by_alias=True)
    for part in dotted.split("."):
        node = node[part]
    return node
