"""What the documents claim about the project, as far as it can be compared with it."""

import re
from pathlib import Path

import pytest

from convoy.pipeline import dag

READMES = ("README.md", "README.zh-CN.md")


def text(repository: Path, name: str) -> str:
    return (repository / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_the_picture_of_the_graph_is_that_of_dvc_yaml(name: str, repository: Path) -> None:
    drawn = set(re.findall(r"^  (\w+) --> (\w+)$", text(repository, name), re.MULTILINE))
    graph = dag.graph(repository)
    assert drawn == {(need, stage) for stage, needs in graph.items() for need in needs}


def test_both_readmes_have_the_same_commands_and_links(repository: Path) -> None:
    def code(name: str) -> list[str]:
        blocks = re.findall(r"```.*?\n(.*?)```", text(repository, name), re.DOTALL)
        return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]

    assert code(READMES[0]) == code(READMES[1])
    headings = [len(re.findall(r"^##? ", text(repository, name), re.MULTILINE)) for name in READMES]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("name", [*READMES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_inside_the_repository_leads_somewhere(name: str, repository: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text(repository, name)):
        assert (repository / target).exists(), target


def test_every_recipe_begins_with_command_cost_and_expected_score(repository: Path) -> None:
    for recipe in [*sorted((repository / "recipes").glob("*.yaml")), repository / "params.yaml"]:
        head = recipe.read_text(encoding="utf-8").split("\n\n")[0]
        for part in ("# command:", "# cost:", "# expected: test "):
            assert part in head, f"{recipe.name} lacks {part}"


def test_params_yaml_is_the_default_recipe(repository: Path) -> None:
    bodies = [
        (repository / path).read_text(encoding="utf-8").partition("\n\n")[2]
        for path in ("params.yaml", "recipes/digits.yaml")
    ]
    assert bodies[0] == bodies[1]


def test_the_lock_files_hold_names_and_versions_only(repository: Path) -> None:
    rivals = sorted((repository / "benchmarks" / "frameworks").glob("*.txt"))
    assert rivals
    locks = [repository / f"requirements{kind}.lock" for kind in ("", "-dev", "-uv")]
    for path in [*locks, *rivals]:
        for line in path.read_text().splitlines():
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line), line
