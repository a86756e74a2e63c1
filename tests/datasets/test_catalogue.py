"""What is known of data sets."""

from __future__ import annotations

from importlib import resources

import pytest
from pydantic import ValidationError

from mmme.datasets.catalogue import dataset_info, dataset_names, parse_info
from mmme.errors import ConfigError

TEXT = resources.files("mmme.datasets").joinpath("mmme.toml").read_text(encoding="utf-8")

# labels in the order of markers 101..148 as published: 1 sad, 2 disgust, 3 happy, 4 fear, 5 tense, 6 calm, 7 angry, 8 surprise
PUBLISHED = "123456781232456781234536781234567481234567856781"
NAMES = dict(zip("12345678", ("sad", "disgust", "happy", "fear", "tense", "calm", "angry", "surprise"), strict=True))


def test_the_labels_of_mmme_are_in_the_published_order():
    """Each of the 48 markers has the emotion that the released notebooks give it."""
    info = dataset_info("mmme")
    assert list(info.stimulus_of) == list(range(101, 149))
    assert [target for _, target in info.stimulus_of.values()] == [NAMES[k] for k in PUBLISHED]
    assert len({stimulus for stimulus, _ in info.stimulus_of.values()}) == 48
    assert (info.stimulus_of[101], info.stimulus_of[148]) == (("sad-1", "sad"), ("sad-2", "sad"))


def test_class_maps_go_from_eight_to_seven_to_three():
    """Eight words, seven without calm, three with every word and spelling placed."""
    info = dataset_info("mmme")
    assert {c for c in info.class_map("emotion8").values() if c} == set(NAMES.values())
    assert {c for c in info.class_map("emotion7").values() if c} == set(NAMES.values()) - {"calm"}
    three = info.class_map("emotion3")
    assert {c for c in three.values() if c} == {"positive", "negative", "surprise"}
    assert three["calm"] is None
    assert three["anger"] == three["angry"] == three["nervous"] == three["tension"] == three["sadness"] == "negative"
    assert three["happiness"] == "positive"
    assert (info.word("Tension"), info.word("bored")) == ("tense", "bored")
    with pytest.raises(ConfigError, match="MMME: no class map 'emotion4'; did you mean"):
        info.class_map("emotion4")


def test_what_is_known_is_frozen():
    """Nobody can change what is known of a data set for everybody else."""
    info = dataset_info("mmme")
    with pytest.raises(ValidationError, match="frozen"):
        info.name = "other"
    with pytest.raises(TypeError):
        info.stimulus_of[101] = ("x", "y")
    assert info.licence.startswith("Release agreement")
    assert "2506.09834" in info.citation


def test_an_unknown_data_set_gets_the_nearest():
    """A misspelt name is answered with the list."""
    assert {"mmme", "casme2", "samm", "smic", "dfme"} <= set(dataset_names())
    with pytest.raises(ConfigError, match=r"no data set 'mme'; did you mean 'mmme'\? \(known: .*mmme"):
        dataset_info("mme")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("idle = 100", "idl = 100", r"x.toml: unknown key 'markers.idl'; did you mean 'idle'", id="key"),
        pytest.param("licence =", "license =", "unknown key 'license'; did you mean 'licence'", id="top"),
        pytest.param('name = "MMME"', "", "x.toml: expected the key 'name', got none", id="missing"),
        pytest.param('files = ["Camera"]', "", "expected the key 'devices.camera.files', got none", id="missing-below"),
        pytest.param('markers = "lines"', 'markers = "wires"', "'devices.biopac.markers': input should be", id="choice"),
        pytest.param("(?P<name>", "(?P<nme>", r"sessions: expected a pattern with the group", id="group"),
        pytest.param("[devices.eeg]", "[devices.EEG]", "device 'EEG': expected a name of small letters", id="device"),
        pytest.param("112, 102", "112, 101", "code 101: expected one stimulus, got sad-1 and disgust-2", id="twice"),
        pytest.param('anger = "angry"', 'anger = "cross"', "word 'anger': expected one of angry.*, got 'cross'", id="word"),
        pytest.param('calm = ""', "", "class map 'emotion3': expected exactly the words", id="class"),
        pytest.param("[sessions]", "[sessions", "x.toml: expected TOML, got", id="syntax"),
    ],
)
def test_a_faulty_description_is_refused(old: str, new: str, message: str):
    """Each fault of a description names its place."""
    assert old in TEXT
    with pytest.raises(ConfigError, match=message):
        parse_info("x", TEXT.replace(old, new))
