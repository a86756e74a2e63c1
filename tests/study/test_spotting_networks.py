"""Networks that propose intervals, in studies: by name in the run file, with the body in three ways, repeatable."""

import pytest

from mmme.config import load_config
from mmme.errors import ConfigError
from mmme.evaluate import load_result
from mmme.interval import Interval
from mmme.io.moments_npz import read_moments
from mmme.io.table_npz import read_table
from mmme.models.catalogue import SPOTTERS, make_spotter
from mmme.study.evaluation import Run, evaluate_study, spot
from mmme.study.repetition import differences, rerun
from mmme.workers import Workers

pytest.importorskip("torch")


def config(**spotting):
    """Few epochs and draws."""
    few = {"epochs": 2, "n_inner": 2, "model": "three-stream", "step_s": 0.1, **spotting}
    scores = {"n_bootstrap": 100, "n_permutations": 100, "n_placements": 20}
    return load_config({"spotting": few, "scores": scores, "alignment": {"limit_ms": 20.0}})


@pytest.fixture(scope="module")
def made(described, tmp_path_factory):
    """Tables, moments and result of the evaluated small study."""
    out = tmp_path_factory.mktemp("spotting")
    evaluate_study(described, out, Run(config(), Workers()))
    tables = {name: read_table(out / f"{name}.npz") for name in ("face-moments", "body-moments")}
    result = load_result(out / "spotting-face.result.json")
    return out, tables, read_moments(out / "moments.npz"), result


def test_every_name_makes_a_spotter():
    """The catalogue knows what the networks know."""
    from mmme.models.deep.spotting_backbones import BACKBONES

    assert set(SPOTTERS) == set(BACKBONES)
    assert make_spotter("recurrent", epochs=3, random_state=7).get_params()["random_state"] == 7
    with pytest.raises(ConfigError, match="spotter"):
        make_spotter("recurrence")


def test_a_study_is_spotted_by_a_network_and_repeats(made):
    """Thresholds per fold are kept in the result, and it repeats to the last interval."""
    out, _, _, result = made
    assert result.model["name"] == "three-stream"
    assert len(result.protocol["thresholds"]) == 3
    assert (out / "spotting-face-body.result.json").exists()
    assert differences(result, rerun(result, out, workers=Workers())) == ""


@pytest.mark.parametrize("way", ["rescored", "gate"])
def test_the_body_joins_in_other_ways(made, way):
    """Scored again and as a gate: a result of its own."""
    _, tables, moments, result = made
    truth = {}
    run = Run(config(body=way), Workers())
    for video, kind, a, b in zip(*(result.truth[c] for c in ("video", "kind", "onset_s", "offset_s")), strict=True):
        truth.setdefault(video, []).append((kind, Interval(a, b)))
    found, curves = spot(tables, moments, truth, title="both", dataset={}, run=run)
    assert curves is None
    assert found.model["body"] == way
    assert 0 <= found.score("F1 overall").value <= 1


def test_a_classifier_of_moments_cannot_be_gated(made):
    """Said, with what would do."""
    _, tables, moments, _ = made
    run = Run(config(model="logistic", body="gate"), Workers())
    with pytest.raises(ConfigError, match="needs a network that proposes intervals"):
        spot(tables, moments, {}, title="both", dataset={}, run=run)
