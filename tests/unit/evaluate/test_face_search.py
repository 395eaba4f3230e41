"""Search in a gallery: who is enrolled, and rates against the formula written out."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.faces import evaluate_faces
from vnvision.evaluate.faces import notes as warning
from vnvision.evaluate.faces.population import population
from vnvision.evaluate.faces.search_1n import roles_by_seed
from vnvision.faces.embedded import EmbeddedFaces


def faces_of(people=30, each=4, seed=0, **columns):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    raw = rng.normal(size=(people, 12))[who] + 0.8 * rng.normal(size=(len(who), 12))
    embeddings = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    given = {"identity": tuple(f"p{i:02}" for i in who)} | columns
    return EmbeddedFaces(
        embeddings, tuple(f"{i}.jpg" for i in range(len(who))), ("",) * len(who), given, "net"
    )


def by_hand(faces, gallery, probe, unknown, target, rank=1):
    """TPIR and FPIR with plain loops: best score of each person, persons in order of score."""
    who = np.array(faces.column("identity"))

    def answer(row):
        scores = faces.embeddings[gallery] @ faces.embeddings[row]
        best = {name: scores[who[gallery] == name].max() for name in set(who[gallery])}
        return sorted(best.items(), key=lambda item: -item[1])

    tops = sorted(answer(row)[0][1] for row in unknown)
    limit = tops[len(tops) - 1 - int(target * len(tops))]
    hits = [answer(row)[0] for row in probe]
    found = [name == who[row] and score > limit for row, (name, score) in zip(probe, hits, strict=True)]
    return (
        np.mean(found),
        np.mean([top > limit for top in tops]),
        np.mean([n == who[r] for r, (n, _) in zip(probe, hits, strict=True)]),
    )


def test_tpir_fpir_and_rank_1_are_those_of_plain_loops():
    faces = faces_of()
    report = evaluate_faces(faces, "1n", enrolled_images=2, unknown_share=0.4, seed=3)
    roles = roles_by_seed(population(faces), 2, 0.4, 3)
    for one in report.search.tpir:
        tpir, fpir, first = by_hand(faces, roles.gallery, roles.probe, roles.unknown, one.at.target)
        assert one.tpir.value == pytest.approx(tpir)
        assert one.fpir.value == pytest.approx(fpir)
        assert fpir <= one.at.target
    assert report.search.cmc[0].value == pytest.approx(first)
    assert (report.search.n_enrolled, report.search.n_gallery) == (18, 36)
    assert (report.search.n_mated, report.search.n_unknown) == (36, 48)
    assert [one.at.target for one in report.search.tpir] == [1e-2, 1e-3]
    assert warning.FPIR_UNSUPPORTED.format(target="0.01", needed=300, n=48) in report.warnings
    assert report.operating is None
    assert sum(report.histogram.genuine) == 36
    assert sum(report.histogram.impostor) == 48


def test_the_seed_alone_chooses_who_is_enrolled():
    faces = faces_of()
    one, same, other = (evaluate_faces(faces, "1n", seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.search.tpir != other.search.tpir


def test_the_order_of_rows_does_not_choose_who_is_unknown():
    faces = faces_of()
    order = np.random.default_rng(5).permutation(len(faces.paths))
    moved = EmbeddedFaces(
        faces.embeddings[order],
        tuple(faces.paths[i] for i in order),
        ("",) * len(order),
        {"identity": tuple(faces.column("identity")[i] for i in order)},
        "net",
    )
    people, again = population(faces), population(moved)
    unknown = {people.names[c] for c in people.subjects[roles_by_seed(people, 1, 0.3, 7).unknown]}
    assert unknown == {again.names[c] for c in again.subjects[roles_by_seed(again, 1, 0.3, 7).unknown]}
    assert len(unknown) == 9


def test_the_first_images_are_enrolled_and_nobody_is_in_two_roles():
    people = population(faces_of())
    roles = roles_by_seed(people, 1, 0.3, 0)
    assert sorted([*roles.gallery, *roles.probe, *roles.unknown]) == list(range(120))
    assert all(row % 4 == 0 for row in roles.gallery)
    assert set(people.subjects[roles.probe]) == set(people.subjects[roles.gallery])
    assert not set(people.subjects[roles.unknown]) & set(people.subjects[roles.gallery])


def test_a_column_role_is_obeyed():
    roles = tuple(["gallery", "probe", "probe", ""][i % 4] if i < 80 else "unknown" for i in range(120))
    report = evaluate_faces(faces_of(role=roles), "1n")
    assert (report.search.n_gallery, report.search.n_mated, report.search.n_unknown) == (20, 40, 40)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (("gallery",) * 119 + ("stranger",), "role: expected gallery, probe, unknown, got stranger"),
        (("gallery",) * 60 + ("probe",) * 60, "'p15' has role probe: expected somebody in the gallery"),
        (("gallery",) * 62 + ("unknown",) * 58, "'p15' has role unknown: expected somebody who is not"),
        (("gallery",) * 60 + ("unknown",) * 60, "identification has no probe: expected gallery, probe"),
        (("",) * 120, "identification has no gallery and no probe and no unknown"),
    ],
)
def test_roles_that_do_not_fit_are_refused(roles, message):
    with pytest.raises(DataError) as found:
        evaluate_faces(faces_of(role=roles), "1n")
    assert message in str(found.value)


def test_wrong_shares_and_numbers_are_refused():
    with pytest.raises(ConfigError, match="images enrolled of each person: expected 1 or more, got 0"):
        evaluate_faces(faces_of(), "1n", enrolled_images=0)
    with pytest.raises(ConfigError, match="share of unknown people: expected between 0 and 1, got 1"):
        evaluate_faces(faces_of(), "1n", unknown_share=1)
    with pytest.raises(DataError, match="identification has no probe"):
        evaluate_faces(faces_of(each=1), "1n")
