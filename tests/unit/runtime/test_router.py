"""auto: the expert a picture needs, none for strangers and for kinds nobody answers for, order and errors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from vnvision.errors import BundleError, ConfigError, DataError
from vnvision.records import ClassPrediction
from vnvision.runtime import router as module
from vnvision.runtime.router import Router, open_router

LABELS = ("bean", "mango", "hip")


class Model:
    """Answers by a picture's first level; counts how often it was asked."""

    def __init__(self, name, labels, top, reasons=lambda level: ()):
        self.name, self.labels, self.top, self.reasons = name, labels, top, reasons
        self.task = SimpleNamespace(kind="classification", label_ids=labels)
        self.scope, self.seen, self.closed, self.unfit = object(), [], False, ()

    def predict_many(self, images, batch_size, on_error):
        assert on_error == "yield"
        levels = [int(image[0, 0, 0]) for image in images]
        self.seen += levels
        for level in levels:
            if level in self.unfit:
                yield DataError(f"level {level} does not fit {self.name}")
                continue
            chances = [0.05] * len(self.labels)
            chances[self.top(level)] = 0.9
            reasons = self.reasons(level)
            yield ClassPrediction(
                labels=self.labels, probabilities=tuple(chances), abstained=bool(reasons), reasons=reasons
            )

    def close(self):
        self.closed = True


def picture(level: int) -> np.ndarray:
    return np.full((4, 4, 3), level, np.uint8)


@pytest.fixture
def experts():
    return {
        "bean": Model("bean", ("healthy", "rust"), lambda level: 1),
        "mango": Model(
            "mango", ("healthy", "gall"), lambda level: 0, lambda v: ("low_confidence",) * (v == 11)
        ),
    }


@pytest.fixture
def router(experts):
    reasons = {9: ("too_dark", "out_of_scope"), 8: ("too_dark",)}
    chooser = Model("router", LABELS, lambda level: level // 10, lambda level: reasons.get(level % 10, ()))
    return Router(chooser, experts.__getitem__, experts)


def test_the_expert_answers(router):
    found = router.predict(picture(3))
    assert (found.expert, found.answer.top, found.abstained, found.certainty) == ("bean", "rust", False, 0.9)
    assert found.model_dump(mode="json")["answer"]["kind"] == "classification"


def test_an_expert_may_be_unsure(router):
    found = router.predict(picture(11))
    assert (found.expert, found.abstained, found.reasons) == ("mango", True, ("low_confidence",))


def test_strangers_reach_no_expert(router, experts):
    found = router.predict(picture(9))
    assert (found.expert, found.answer, found.abstained, found.reasons) == (
        None,
        None,
        True,
        ("out_of_scope",),
    )
    assert not experts["bean"].seen


def test_a_dark_picture_is_the_experts_to_judge(router):
    found = router.predict(picture(8))
    assert (found.expert, found.abstained) == ("bean", False)


def test_a_known_kind_that_nobody_answers_for(router):
    found = router.predict(picture(25))
    assert (found.expert, found.abstained, found.reasons) == (None, True, ("no_expert",))


def test_many_pictures_keep_their_order_and_each_expert_is_asked_once_a_batch(router, experts):
    levels = [3, 12, 9, 5, 25, 13]
    found = list(router.predict_many([picture(level) for level in levels], batch_size=6))
    assert [one.expert for one in found] == ["bean", "mango", None, "bean", None, "mango"]
    assert (experts["bean"].seen, experts["mango"].seen) == ([3, 5], [12, 13])


def test_names_travel_and_bad_files_are_raised_or_passed_on(router, tmp_path):
    import cv2

    good, bad = tmp_path / "leaf.png", tmp_path / "broken.png"
    cv2.imwrite(str(good), picture(3))
    bad.write_bytes(b"no picture")
    first, second = router.predict_many([good, bad], on_error="yield")
    assert first.source.endswith("leaf.png")
    assert first.answer.source == first.source
    assert isinstance(second, DataError)
    with pytest.raises(DataError, match=r"broken\.png"):
        list(router.predict_many([bad, good]))


def test_a_picture_that_a_model_cannot_take_ends_no_batch(router, experts):
    router.chooser.unfit, experts["mango"].unfit = (4,), (12,)
    levels = [3, 4, 12, 5, 13]
    for size in (1, 2, 5):
        found = list(router.predict_many(map(picture, levels), batch_size=size, on_error="yield"))
        assert [str(one) if isinstance(one, DataError) else one.expert for one in found] == [
            "bean", "level 4 does not fit router", "level 12 does not fit mango", "bean", "mango"
        ]  # fmt: skip
        answers = router.predict_many(map(picture, levels), batch_size=size)
        assert next(answers).expert == "bean", "answers before the picture come first"
        with pytest.raises(DataError, match="level 4 does not fit router"):
            next(answers)
    for level, name in ((4, "router"), (12, "mango")):
        with pytest.raises(DataError, match=f"level {level} does not fit {name}"):
            router.predict(picture(level))
    with pytest.raises(DataError, match="level 4 does not fit router"):
        router.choose([picture(3), picture(4)])


def test_wrong_arguments(router):
    with pytest.raises(ConfigError, match="batch_size"):
        router.predict_many([], batch_size=0)
    with pytest.raises(ConfigError, match="on_error"):
        router.predict_many([], on_error="skip")
    with pytest.raises(ConfigError, match="there is no expert 'hip': expected bean, mango"):
        router.expert("hip")


def test_experts_are_opened_once_and_all_are_closed(router, experts):
    opened = []
    router._open_expert = lambda name: opened.append(name) or experts[name]
    router.predict(picture(3))
    router.predict(picture(4))
    assert opened == ["bean"]
    router.close()
    assert (router.chooser.closed, experts["bean"].closed, experts["mango"].closed) == (True, True, False)


def test_opening_takes_the_experts_that_are_there(monkeypatch, experts):
    loaded = {"router": Model("router", LABELS, lambda level: 0), **experts}
    monkeypatch.setattr(module.shelf, "model_folder", lambda name: name)
    monkeypatch.setattr(module.shelf, "model_names", lambda: dict.fromkeys(loaded))
    monkeypatch.setattr("vnvision.runtime.load_bundle", lambda folder, **options: loaded[str(folder)])
    found = open_router(threads=1)
    assert found.experts == {"bean", "mango"}
    assert found.task_of("mango").label_ids == ("healthy", "gall")
    with pytest.raises(ConfigError, match="auto takes no target"):
        open_router(target="onnx-int8")
    loaded["router"].scope = None
    with pytest.raises(BundleError, match="router is no router: expected a classifier with a scope gate"):
        open_router()


def test_the_router_that_ships_knows_the_experts_that_ship(monkeypatch, experts):
    loaded = {"router": Model("router", LABELS, lambda level: 0), **experts}
    monkeypatch.setattr(module.shelf, "model_folder", lambda name: name)
    monkeypatch.setattr(module.shelf, "model_names", lambda: dict.fromkeys(loaded))
    monkeypatch.setattr("vnvision.runtime.load_bundle", lambda folder, **options: loaded[str(folder)])
    for shipped, wanted in (
        ({"router", "bean"}, {"bean"}),  # mango is a user's own, of that name
        ({"router"}, set()),
        (set(), {"bean", "mango"}),  # a router of the user's own means whatever is called so
    ):
        monkeypatch.setattr(module.shelf, "is_shipped", shipped.__contains__)
        assert open_router().experts == wanted
