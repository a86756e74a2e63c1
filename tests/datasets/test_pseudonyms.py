"""Codes instead of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmme.datasets.pseudonyms import assign_codes, codes_from_names
from mmme.errors import ConfigError, DataError


def test_codes_stay_and_new_names_get_the_next(tmp_path: Path):
    """A name keeps its code for ever; a new one gets the next that is free."""
    key, study = tmp_path / "keys" / "key.csv", tmp_path / "study"
    first = assign_codes(key, ["b", "a"], study=study, shuffle=False)
    assert first.codes == {"a": "S01", "b": "S02"}
    again = assign_codes(key, ["c", "a"], study=study)
    assert again.codes == {"a": "S01", "b": "S02", "c": "S03"}
    assert again.secret == first.secret
    assert len(first.secret) == 32
    assert key.read_text(encoding="utf-8").split() == ["name,code", "a,S01", "b,S02", "c,S03", f"#secret,{first.secret}"]
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("name,code\na,S03\n", encoding="utf-8")
    assert assign_codes(key, ["z"], study=study).codes["z"] == "S01"


def test_codes_are_not_in_the_order_of_the_alphabet(tmp_path: Path):
    """Twenty names in random order: that they come out sorted has a chance of 1 in 20 factorial."""
    names = [f"n{k:02d}" for k in range(20)]
    codes = assign_codes(tmp_path / "key.csv", names, study=tmp_path / "study").codes
    assert sorted(codes.values()) == [f"S{k:02d}" for k in range(1, 21)]
    assert [codes[name] for name in names] != sorted(codes.values())


@pytest.mark.parametrize("place", ["study/key.csv", "study/a/b/key.csv", "other/../study/key.csv"])
def test_the_key_must_lie_outside_the_study(place: str, tmp_path: Path):
    """Whoever gets the study must not get the key."""
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match=r"key.csv: expected a key file outside the study, got one inside"):
        assign_codes(tmp_path / place, ["a"], study=tmp_path / "study")
    assert not (tmp_path / place).exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a key file with the header 'name,code', got another file"),
        ("name,code\nzhou,X-1\n", "line 2: expected a name and a code such as S01"),
        ("name,code\nzhou,S01\nli,S01\n", "line 3: expected each name and code once, got one again"),
    ],
)
def test_a_damaged_key_is_refused_without_telling_names(content: str, message: str, tmp_path: Path):
    """Faults of the key file are told by line."""
    key = tmp_path / "key.csv"
    key.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        assign_codes(key, ["a"], study=tmp_path / "study")
    assert "zhou" not in str(caught.value)


def test_names_that_are_codes_need_no_key(tmp_path: Path):
    """Codes keep their letters and digits; two that would become one are refused."""
    assert codes_from_names(["s15", "006", "sub_1"]).codes == {"006": "006", "s15": "s15", "sub_1": "sub1"}
    with pytest.raises(
        DataError, match="participants: expected names that stay apart when only letters and digits are kept"
    ):
        codes_from_names(["a_1", "a1"])
