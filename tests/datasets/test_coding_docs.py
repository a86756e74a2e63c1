"""docs/coding.md says what the data sets and the model of [coding] say."""

from __future__ import annotations

from pathlib import Path

from mmme.datasets.catalogue import dataset_info, dataset_names
from mmme.datasets.coding.spec import CodingSpec

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coding.md").read_text(encoding="utf-8")


def test_every_data_set_has_its_row():
    """Name, class maps and licence of each data set are those of its TOML file."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    for key in dataset_names():
        info = dataset_info(key)
        (row,) = [row for row in rows if row.startswith(f"| `{key}` | {info.name} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[4] == ", ".join(info.classes)
        assert cells[5] == info.licence


def test_every_key_of_a_table_has_its_row():
    """Each key is explained in the words of the model."""
    for name, field in CodingSpec.model_fields.items():
        assert f"| `{name}` | {field.description} |" in PAGE
