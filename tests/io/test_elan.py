"""ELAN files: tiers, vocabularies, times, and what refers to what."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmme.errors import DataError
from mmme.io.elan import read_elan

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="{unit}">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/lab/clip%2001.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="250"/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1200"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1560"/>
    <TIME_SLOT TIME_SLOT_ID="ts3"/>
  </TIME_ORDER>
  <TIER TIER_ID="expression" LINGUISTIC_TYPE_REF="kinds" PARTICIPANT="P1" ANNOTATOR="anna">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="{slot}" CVE_REF="c1">
      <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>mikro</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER TIER_ID="AU" LINGUISTIC_TYPE_REF="free" PARENT_REF="expression">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1"><ANNOTATION_VALUE> AU4 </ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="{ref}"><ANNOTATION_VALUE>strong</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="kinds" CONTROLLED_VOCABULARY_REF="cv"/>
  <LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="free"/>
  <CONTROLLED_VOCABULARY CV_ID="cv">
    <CV_ENTRY_ML CVE_ID="c1"><CVE_VALUE LANG_REF="eng">micro</CVE_VALUE></CV_ENTRY_ML>
    <CV_ENTRY_ML CVE_ID="c2"><CVE_VALUE LANG_REF="eng">macro</CVE_VALUE></CV_ENTRY_ML>
  </CONTROLLED_VOCABULARY>
</ANNOTATION_DOCUMENT>"""


def eaf(path: Path, *, unit: str = "milliseconds", slot: str = "ts2", ref: str = "a3") -> Path:
    path.write_text(EAF.format(unit=unit, slot=slot, ref=ref), encoding="utf-8")
    return path


def test_times_texts_and_people_are_read(tmp_path: Path):
    """Milliseconds of slots; a slot without value stays unknown; the vocabulary fills an empty text."""
    file = read_elan(eaf(tmp_path / "a.eaf"))
    assert (file.media, dict(file.media_starts_ms)) == (("clip 01.mp4",), {"clip 01.mp4": 250})
    expression, au = file.tiers
    assert (expression.participant, expression.annotator, au.parent) == ("P1", "anna", "expression")
    first, second = expression.annotations
    assert (first.start_ms, first.stop_ms, first.value) == (1200, 1560, "micro")
    assert (second.start_ms, second.stop_ms) == (1560, None)
    assert [a.id for a in expression.outside_vocabulary] == ["a2"]
    assert au.outside_vocabulary == ()


def test_a_referring_annotation_has_the_times_of_what_it_refers_to(tmp_path: Path):
    """Also through another one that refers."""
    au = read_elan(eaf(tmp_path / "a.eaf")).tiers[1]
    assert [(a.start_ms, a.stop_ms, a.value, a.refers_to) for a in au.annotations] == [
        (1200, 1560, "AU4", "a1"),
        (1200, 1560, "strong", "a3"),
    ]


def test_vocabularies_of_the_old_form_are_read(tmp_path: Path):
    """Before EAF 2.8 an entry is a text."""
    path = eaf(tmp_path / "a.eaf")
    text = path.read_text().replace(
        '<CV_ENTRY_ML CVE_ID="c1"><CVE_VALUE LANG_REF="eng">micro</CVE_VALUE></CV_ENTRY_ML>', "<CV_ENTRY>micro</CV_ENTRY>"
    )
    path.write_text(text)
    assert read_elan(path).tiers[0].vocabulary == ("micro", "macro")


def test_faults_are_told_without_the_name_of_the_file(tmp_path: Path):
    """A file may be named after a person."""
    with pytest.raises(DataError, match=r"^\*.eaf: expected an ELAN file, got no file$"):
        read_elan(tmp_path / "zhou.eaf")
    with pytest.raises(DataError, match=r"^\*.eaf: expected times in milliseconds, got NTSC-frames; change the time unit"):
        read_elan(eaf(tmp_path / "zhou.eaf", unit="NTSC-frames"))
    with pytest.raises(
        DataError,
        match=r"^\*.eaf: 2 faults\n  - annotation a1: expected a time slot, got 'ts9'\n  - annotation a4: expected the annotation a4",
    ):
        read_elan(eaf(tmp_path / "zhou.eaf", slot="ts9", ref="a4"))
    (tmp_path / "b.eaf").write_text("<ANNOTATION_DOCUMENT>")
    with pytest.raises(DataError, match=r"got XML with a fault \(.*\); is it cut short\?"):
        read_elan(tmp_path / "b.eaf")
    (tmp_path / "b.eaf").write_text("<html/>")
    with pytest.raises(DataError, match="expected an ELAN file with ANNOTATION_DOCUMENT, got html"):
        read_elan(tmp_path / "b.eaf")
    text = eaf(tmp_path / "c.eaf").read_text().replace('TIME_VALUE="1200"', 'TIME_VALUE="1.2"')
    (tmp_path / "c.eaf").write_text(text)
    with pytest.raises(DataError, match="expected a time in whole milliseconds, got '1.2'"):
        read_elan(tmp_path / "c.eaf")
