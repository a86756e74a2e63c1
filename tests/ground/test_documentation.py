"""What the documentation says is there, and what is there is documented."""

import re
import tomllib
from pathlib import Path

import pytest

from mmme.cli import cli
from mmme.config import RunConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """
    Every relative link of a page points at a file of the repository.
    """
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_in_the_text_exist(page: Path) -> None:
    """
    A verb or an option that a page mentions exists.
    """
    text = page.read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"```sh\n(.*?)```", text, flags=re.S))
    for line in re.findall(r"`mmme ([a-z][^`]*)`", text) + re.findall(r"^mmme (.+)$", fenced, flags=re.M):
        words = line.split("#")[0].split()
        assert words[0] in cli.commands, f"{page.name}: mmme {words[0]}"
        command = cli.commands[words[0]]
        command = getattr(command, "commands", {}).get(words[1] if len(words) > 1 else "", command)
        known = {o for p in command.params for o in p.opts} | {"--help", "-h"}
        assert {w for w in words if w.startswith("--")} <= known, f"{page.name}: {words}"


def test_every_dependency_has_its_reason() -> None:
    """
    No dependency without its line in docs/dependencies.md, and each is pinned in the constraints.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    optional = [d for extra in ("deep", "web", "acquire") for d in project["optional-dependencies"][extra]]
    for dependency in [*project["dependencies"], *optional]:
        name = re.split(r"[<>=]", dependency)[0]
        assert name in reasons, name
        assert re.search(rf"^{re.escape(name)}==", pinned, flags=re.M), name


def test_every_key_of_the_run_file_is_read_somewhere() -> None:
    """
    No option exists that changes nothing.
    """
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "src" / "mmme" / "study").glob("*.py"))
    for name, field in RunConfig.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        for key in inner or [name]:
            path = f"{name}.{key}" if inner else name
            assert f"config.{path}" in source, path
