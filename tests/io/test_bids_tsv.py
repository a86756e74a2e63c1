"""Tables, JSON files and single images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.errors import DataError
from mmme.io.bids_tsv import read_json, read_numbers, read_tsv, write_json, write_tsv
from mmme.io.image import luma, read_colour, read_grey, read_image

TEXT = st.text(st.characters(blacklist_categories=("C", "Z")), max_size=8).filter(lambda text: text != "n/a")


@given(st.lists(st.tuples(TEXT, TEXT), max_size=6))
def test_any_table_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]):
    """Texts of any script come back; what is not there is n/a on disk and empty here."""
    path = tmp_path_factory.mktemp("t") / "a.tsv"
    write_tsv(path, {"x": [a for a, _ in rows], "y": [b for _, b in rows]})
    assert read_tsv(path, ("x", "y")) == {"x": [a for a, _ in rows], "y": [b for _, b in rows]}


def test_numbers_come_back_with_nan_for_what_is_not_there(tmp_path: Path):
    """Only the columns asked for are read."""
    write_tsv(tmp_path / "a.tsv", {"t": [0.5, None], "name": ["a", "b"], "k": [1, 2]})
    assert (tmp_path / "a.tsv").read_text(encoding="utf-8") == "t\tname\tk\n0.5\ta\t1\nn/a\tb\t2\n"
    numbers = read_numbers(tmp_path / "a.tsv", ("k", "t"))
    np.testing.assert_array_equal(numbers["t"], [0.5, np.nan])
    assert list(numbers) == ["k", "t"]


def test_faulty_tables_are_refused(tmp_path: Path):
    """Missing files and columns, ragged rows, text for numbers, and texts that would break the table."""
    path = tmp_path / "a.tsv"
    with pytest.raises(DataError, match="a.tsv: expected a table, got no file"):
        read_tsv(path)
    with pytest.raises(DataError, match="a.tsv: expected a table, got no file"):
        read_numbers(path, ("x",))
    with pytest.raises(DataError, match="a.tsv: column x: 'a\tb' holds a tab or line break"):
        write_tsv(path, {"x": ["a\tb"]})
    with pytest.raises(DataError, match="expected columns of one length, got {'x': 1, 'y': 2}"):
        write_tsv(path, {"x": [1], "y": [1, 2]})
    assert list(tmp_path.iterdir()) == []
    path.write_text("x\ty\n1\n", encoding="utf-8")
    with pytest.raises(
        DataError, match="a.tsv: 2 faults\n  - expected a column 'z', got x, y\n  - line 2: expected 2 cells, got 1"
    ):
        read_tsv(path, ("z",))
    path.write_text("x\ty\n1\tfoo\n", encoding="utf-8")
    with pytest.raises(DataError, match="a.tsv: expected columns y of numbers, got could not convert"):
        read_numbers(path, ("y",))


def test_json_files_come_back_or_are_refused(tmp_path: Path):
    """Objects of any script; missing, broken and other files have their sentence."""
    write_json(tmp_path / "a.json", {"Units": "µS"})
    assert read_json(tmp_path / "a.json") == {"Units": "µS"}
    with pytest.raises(DataError, match="b.json: expected a JSON file, got none"):
        read_json(tmp_path / "b.json")
    (tmp_path / "b.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(DataError, match="b.json: expected a JSON object, got list"):
        read_json(tmp_path / "b.json")
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="b.json: expected JSON, got"):
        read_json(tmp_path / "b.json")


def test_grey_images_are_read_as_they_are(tmp_path: Path):
    """8-bit grey only; colour and more bits are not converted silently."""
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cv2.imwrite(str(tmp_path / "a.tif"), image)
    np.testing.assert_array_equal(read_grey(tmp_path / "a.tif"), image)
    cv2.imwrite(str(tmp_path / "b.tif"), image.astype(np.uint16))
    with pytest.raises(DataError, match=r"b.tif: expected 8-bit grey, got uint16 of shape \(3, 4\)"):
        read_grey(tmp_path / "b.tif")
    cv2.imwrite(str(tmp_path / "c.png"), np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"c.png: expected 8-bit grey, got uint8 of shape \(3, 4, 3\)"):
        read_grey(tmp_path / "c.png")
    with pytest.raises(DataError, match="d.tif: expected an image, got no file"):
        read_grey(tmp_path / "d.tif")
    (tmp_path / "d.tif").write_bytes(b"II*")
    with pytest.raises(DataError, match="d.tif: expected an image, got 3 bytes that are none; was the copy cut short"):
        read_grey(tmp_path / "d.tif")


def test_colour_images_are_read_as_they_are(tmp_path: Path):
    """Red, green, blue as stored; grey stays grey; more bits and transparency are not converted silently."""
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    cv2.imwrite(str(tmp_path / "a.png"), colour[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colour)
    np.testing.assert_array_equal(read_colour(tmp_path / "a.png"), colour)
    by_hand = np.floor(colour @ np.array([0.299, 0.587, 0.114]) + 0.5)
    assert np.abs(luma(colour) - by_hand).max() <= 1
    cv2.imwrite(str(tmp_path / "b.tif"), colour[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), colour[..., 0])
    with pytest.raises(DataError, match=r"b.tif: expected 8-bit colour, got grey of shape \(3, 4\)"):
        read_colour(tmp_path / "b.tif")
    cv2.imwrite(str(tmp_path / "c.png"), colour.astype(np.uint16))
    with pytest.raises(DataError, match=r"c.png: expected 8-bit grey or colour, got uint16 of shape \(3, 4, 3\)"):
        read_image(tmp_path / "c.png")
    cv2.imwrite(str(tmp_path / "d.png"), np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(DataError, match=r"d.png: expected 8-bit grey or colour, got uint8 of shape \(3, 4, 4\)"):
        read_image(tmp_path / "d.png")
