from pathlib import Path

import pytest

from mmme.config import RunConfig, as_toml, load_config
from mmme.errors import ConfigError


def test_a_written_run_file_reads_back_as_itself(tmp_path: Path) -> None:
    """
    The printed run file holds every key, and reading it changes nothing.
    """
    path = tmp_path / "run.toml"
    path.write_text(as_toml(RunConfig()), encoding="utf-8")

    assert load_config(path) == RunConfig()


def test_every_key_says_what_it_means() -> None:
    """
    No option exists without a description.
    """
    for name, field in RunConfig.model_fields.items():
        inner = field.annotation
        fields = getattr(inner, "model_fields", {name: field})
        for key, info in fields.items():
            assert info.description, f"{name}.{key} has no description"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({"sede": 1}, "unknown key 'sede'; did you mean 'seed'", id="top-level"),
        pytest.param({"face": {"flwo": "dis"}}, "unknown key 'face.flwo'; did you mean 'flow'", id="section"),
        pytest.param({"seed": "one"}, "'seed': input should be a valid integer, got 'one'", id="type"),
        pytest.param(
            {"alignment": {"limit_ms": -1.0}}, "'alignment.limit_ms': input should be greater than 0, got -1.0", id="range"
        ),
    ],
)
def test_a_wrong_key_or_value_is_one_clear_sentence(data: dict[str, object], message: str) -> None:
    """
    The message names the key, the value and the nearest known key.
    """
    with pytest.raises(ConfigError, match=message):
        load_config(data)


def test_a_missing_or_broken_run_file_is_named(tmp_path: Path) -> None:
    """
    A run file that is absent or no TOML is said to be so.
    """
    with pytest.raises(ConfigError, match="none.toml: expected a run file, got none"):
        load_config(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("seed = ", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken.toml: expected TOML, got"):
        load_config(broken)


def test_no_run_file_means_all_defaults() -> None:
    """
    Defaults are complete.
    """
    assert load_config(None) == RunConfig()
