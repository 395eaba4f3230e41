import json
import math
import shlex

import pytest

from vnvision.cli.main import app
from vnvision.errors import ConfigError, DataError
from vnvision.faces import thresholds
from vnvision.faces.embedder import SFace
from vnvision.faces.threshold_requests import rate_name
from vnvision.faces.thresholds import (
    StoredPoints,
    load_points,
    resolve,
    save_points,
    stored_points,
)
from vnvision.records import Metric, OperatingPoint

MODEL = "model-a"


def point(population, target, threshold, n=100_000):
    return OperatingPoint(
        threshold=threshold,
        scale="cosine",
        target=target,
        achieved=Metric(value=1e-4, low=5e-5, high=2e-4, n=n),
        population=population,
        n=n,
        manifest_sha256="0" * 64,
    )


POINTS = (
    point("easy", "fmr=1e-3", 0.30),
    point("easy", "fmr=1e-4", 0.40),
    point("easy", "fmr=1e-5", 0.45),
    point("hard", "fmr=1e-3", 0.42),
    point("hard", "fmr=1e-4", 0.50),
)


def asked(request, **options):
    return resolve(request, MODEL, points=POINTS, **options)


def refused(request, points=POINTS, **options):
    """The error's English and Vietnamese lines."""
    with pytest.raises(ConfigError) as caught:
        resolve(request, MODEL, points=points, **options)
    english, vietnamese = caught.value.in_both().split(" | ")
    assert english == str(caught.value)
    assert "\n" not in caught.value.in_both()
    return english, vietnamese


@pytest.mark.parametrize("number", [0.42, "0.42", " 0.42 ", "+42e-2"])
def test_a_number_is_taken_as_it_is(number):
    found = asked(number)
    assert (found.value, found.point) == (0.42, None)


@pytest.mark.parametrize("edge", [-1, 1, "-1", "1.0"])
def test_both_ends_of_the_cosine_are_thresholds(edge):
    assert asked(edge).value == float(edge)


@pytest.mark.parametrize("wrong", [1.01, -2, "1.5", "nan", math.inf, "-inf"])
def test_no_cosine_is_refused_in_both_languages(wrong):
    english, vietnamese = refused(wrong)
    assert english == f"a threshold is wrong: expected a cosine in [-1, 1], got {wrong}"
    assert str(wrong) in vietnamese


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "fmr",
        "fmr=",
        "fmr=0",
        "fmr=1",
        "fmr=-1e-4",
        "fmr=1e",
        "fmr=1e-4@",
        "fmr =1e-4",
        "tar=0.9",
        "1e-4@easy",
    ],
)
def test_malformed_texts_are_refused_in_both_languages(wrong):
    english, vietnamese = refused(wrong)
    assert english.startswith(
        "a threshold is wrong: expected a cosine such as 0.42, or a rate such as fmr=1e-4"
    )
    assert english.endswith(f"got {wrong}".rstrip())
    assert "không hợp lệ" in vietnamese
    assert "fmr=1e-4@korean" in vietnamese


def test_a_rate_takes_the_strictest_threshold_of_all_populations():
    found = asked("fmr=1e-4")
    assert found.value == 0.50
    assert found.point == POINTS[4]
    assert asked("fmr=1e-3").value == 0.42


def test_a_named_population_takes_its_own():
    assert asked("fmr=1e-4@easy").value == 0.40
    assert asked("fmr=1e-4", population="easy").value == 0.40
    assert asked("fmr=1e-4@easy", population="easy").value == 0.40
    assert asked("fmr=1e-5@easy").value == 0.45, "named, the easy population's own rate may be had"


@pytest.mark.parametrize("same", ["fmr=1e-4", "fmr=0.0001", "fmr=1E-4", "fmr=1.0e-4", " fmr=1e-4 "])
def test_one_rate_written_in_several_ways(same):
    assert asked(same).value == 0.50


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1e-4, "fmr=1e-4"), (0.1, "fmr=1e-1"), (2.5e-5, "fmr=2.5e-5"), (0.0030000001, "fmr=3e-3")],
)
def test_a_rate_has_one_name_that_reads_back(rate, text):
    assert rate_name(rate) == text
    assert float(rate_name(rate)[4:]) == pytest.approx(rate, rel=1e-5)


def test_two_different_populations_are_refused():
    english, vietnamese = refused("fmr=1e-4@easy", population="hard")
    assert english == "two populations are named: expected one, got easy, hard"
    assert "easy" in vietnamese
    assert "hard" in vietnamese


def test_a_rate_measured_for_easy_people_only_is_refused():
    """hard needs 0.50 for 1e-4 already: easy's 0.45 cannot keep 1e-5 there."""
    english, vietnamese = refused("fmr=1e-5")
    assert "fmr=1e-5 was measured for easy only" in english
    assert "for hard even fmr=1e-4 needs a higher threshold" in english
    for text in (english, vietnamese):
        assert "--threshold fmr=1e-5@easy" in text
        assert "vnvision face calibrate --data FOLDER --fmr 1e-5 --population hard" in text


def test_a_rate_of_some_populations_holds_where_the_others_are_easier():
    points = (*POINTS, point("easier", "fmr=1e-3", 0.2))
    assert resolve("fmr=1e-4", MODEL, points=points).value == 0.50


def test_an_unknown_population_is_refused_with_the_command_to_measure_it():
    for options in ({"request": "fmr=1e-4@việt"}, {"request": "fmr=1e-4", "population": "việt"}):
        english, vietnamese = refused(**options)
        assert "no threshold was measured for the population 'việt': expected one of easy, hard" in english
        assert "(đã có: easy, hard)" in vietnamese
        for text in (english, vietnamese):
            assert "vnvision face calibrate --data FOLDER --fmr 1e-4 --population 'việt'" in text


def test_an_uncalibrated_rate_is_refused_with_the_command_to_measure_it():
    english, vietnamese = refused("fmr=1e-5@hard")
    assert "this model has no threshold for fmr=1e-5 for hard" in english
    assert "one of those measured: fmr=1e-3, fmr=1e-4;" in english
    for text in (english, vietnamese):
        assert text.endswith("vnvision face calibrate --data FOLDER --fmr 1e-5 --population hard")


def test_a_model_never_measured_is_refused_with_the_command_to_measure_it():
    english, vietnamese = refused("fmr=1e-4", points=())
    assert "one of those measured: none" in english
    for text in (english, vietnamese):
        assert text.endswith("vnvision face calibrate --data FOLDER --fmr 1e-4 --population NAME")


def test_the_command_survives_a_shell_and_names_options_that_exist():
    english, _ = refused("fmr=1e-4@sơn la 2026")
    words = shlex.split(english[english.index("vnvision face calibrate") :])
    assert words[-2:] == ["--population", "sơn la 2026"]
    from typer.main import get_command

    options = {
        name for part in get_command(app).commands["face"].commands["calibrate"].params for name in part.opts
    }
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.usefixtures("home")
def test_the_shipped_points_fit_sface_and_the_rule_of_three(weights):
    shipped = stored_points(SFace(engine="onnxruntime", threads=1).fingerprint)
    assert {p.population for p in shipped} >= {"lfw", "asian_portraits", "chinese", "japanese", "korean"}
    assert len({(p.population, p.target) for p in shipped}) == len(shipped)
    for p in shipped:
        rate = float(p.target.removeprefix("fmr="))
        assert p.scale == "cosine"
        assert p.n * rate >= 3, f"{p.population} {p.target}: {p.n} comparisons do not support it"
        assert p.achieved.n == p.n
        assert p.achieved.value <= rate
        assert p.achieved.low <= p.achieved.value <= p.achieved.high
        assert p.target == rate_name(rate)
    for name in {p.population for p in shipped}:
        own = sorted((float(p.target[4:]), p.threshold) for p in shipped if p.population == name)
        assert [t for _, t in own] == sorted((t for _, t in own), reverse=True), "a lower rate is stricter"


@pytest.mark.usefixtures("home")
def test_the_default_rate_can_be_had_with_the_shipped_points(weights):
    model = SFace(engine="onnxruntime", threads=1).fingerprint
    found = resolve("fmr=1e-4", model)
    everyone = [p for p in stored_points(model) if p.target == "fmr=1e-4"]
    assert found.value == max(p.threshold for p in everyone)


def test_what_was_measured_here_comes_before_what_ships(home, weights):
    model = SFace(engine="onnxruntime", threads=1).fingerprint
    before = {(p.population, p.target): p.threshold for p in stored_points(model)}
    path = save_points(model, [point("lfw", "fmr=1e-4", 0.77), point("mine", "fmr=1e-4", 0.1)])
    assert path == home / "face_thresholds.json"
    after = {(p.population, p.target): p.threshold for p in stored_points(model)}
    assert after == before | {("lfw", "fmr=1e-4"): 0.77, ("mine", "fmr=1e-4"): 0.1}
    assert resolve("fmr=1e-4", model).value == 0.77
    assert resolve("fmr=1e-4@mine", model).value == 0.1


def test_saving_again_replaces_the_same_rate_and_keeps_the_rest(home):
    save_points(MODEL, [point("mine", "fmr=1e-3", 0.3), point("mine", "fmr=1e-4", 0.4)])
    save_points("model-b", [point("mine", "fmr=1e-4", 0.9)])
    save_points(MODEL, [point("mine", "fmr=1e-4", 0.5)])
    kept = load_points()
    assert {p.target: p.threshold for p in kept.models[MODEL]} == {"fmr=1e-3": 0.3, "fmr=1e-4": 0.5}
    assert [p.threshold for p in kept.models["model-b"]] == [0.9]


@pytest.mark.usefixtures("home")
def test_a_missing_file_is_nothing_measured():
    assert load_points() == StoredPoints()
    assert stored_points("a model nobody measured") == ()


def test_a_damaged_file_is_named_and_left_alone(home):
    home.mkdir()
    file = home / "face_thresholds.json"
    for text in ("{", json.dumps({"models": {}, "more": 1}), json.dumps({"schema_version": 2, "models": {}})):
        file.write_text(text)
        with pytest.raises(DataError, match=r"face_thresholds\.json is not a valid StoredPoints"):
            resolve("fmr=1e-4", MODEL)
        with pytest.raises(DataError, match=r"face_thresholds\.json is not a valid StoredPoints"):
            save_points(MODEL, POINTS)
        assert file.read_text() == text
    assert resolve(0.4, MODEL).value == 0.4, "a number needs no file"


def test_a_place_that_cannot_be_written_is_one_line(home):
    home.write_text("a file where the folder should be")
    with pytest.raises(DataError, match="cannot write"):
        save_points(MODEL, POINTS)


def test_the_shipped_file_is_part_of_the_package():
    assert (thresholds.resources.files("vnvision.faces") / "operating_points.json").is_file()
