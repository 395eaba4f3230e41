"""Faces through the page: two compared, one enrolled with consent, found, forgotten, hidden."""

from files import FACES, STRANGER
from PIL import Image
from test_crops import words


def test_compare(opened, tmp_path):
    opened.tab("faces")
    opened.shoot("faces-compare-before", tmp_path)
    opened.send(FACES[0])
    told = opened.answer(lambda: opened.press("faces.go"))
    assert words(told.locator("p")) == opened.say("faces.two_needed")
    opened.send(FACES[1], at=1)
    told = opened.answer(lambda: opened.press("faces.go"))
    assert words(told.locator("h2")) == opened.say("faces.same")
    assert told.locator(".v-crops img").count() == 2
    opened.shoot("faces-compare-answer", tmp_path)


def test_the_example(opened):
    opened.tab("faces")
    told = opened.answer(lambda: opened.press("faces.example.same"))
    assert words(told.locator("h2")) == opened.say("faces.same")


def test_no_face(opened):
    opened.tab("faces")
    opened.send(FACES[0])
    opened.send(STRANGER, at=1)
    told = opened.answer(lambda: opened.press("faces.go"))
    assert "v-problem" in told.get_attribute("class")
    assert words(told.locator("p")) != opened.say("faces.two_needed")
    assert words(told.locator("p")) not in (opened.say("error.unknown"), opened.say("error.picture"))


def enrol(opened, person, agree=True):
    """Enrol the first drawn face; its photo stays here until there is consent."""
    box = opened.panel.get_by_label(opened.say("faces.agree"))
    if not agree:
        opened.send(FACES[0])
    opened.panel.get_by_label(opened.say("faces.person"), exact=True).fill(person)
    box.set_checked(agree)
    return opened.answer(lambda: opened.press("faces.enroll"))


def test_enrol_find_forget(opened, tmp_path):
    person = f"NV-{opened.language}"
    opened.tab("faces")
    opened.inner("find")
    opened.shoot("faces-find-before", tmp_path)
    told = enrol(opened, person, agree=False)
    assert words(told.locator("p")) == opened.say("faces.need_consent")

    told = enrol(opened, person)
    assert person in words(told)
    assert "v-problem" not in told.get_attribute("class")
    assert person in words(opened.panel.locator(".v-people"))

    found = look_up(opened)
    assert "v-sure" in found.get_attribute("class")
    assert person in words(found.locator("h2").first)
    opened.shoot("faces-find-answer", tmp_path)

    opened.choose("faces.forget_who", person)
    told = opened.answer(lambda: opened.press("faces.forget"))
    assert person in words(told)
    assert person not in words(opened.panel.locator(".v-people"))
    found = look_up(opened)
    assert words(found.locator("h2").first) == opened.say(
        "faces.found_one", number=1, who=opened.say("faces.unknown")
    )

    opened.panel.get_by_role("button", name=opened.say("faces.audit"), exact=False).click()
    log = opened.answer(lambda: opened.press("faces.audit_refresh"))
    for action in ("enroll", "identify", "forget"):
        assert opened.say(f"faces.audit.{action}") in words(log)
    opened.shoot("faces-find-log", tmp_path)


def look_up(opened):
    """Send the other photo of the same drawn face, and press on find."""
    opened.send(FACES[1], at=1)
    return opened.answer(lambda: opened.press("faces.search"))


def test_hide(opened, tmp_path):
    opened.tab("faces")
    opened.inner("hide")
    opened.shoot("faces-hide-before", tmp_path)
    opened.send(FACES[0])
    told = opened.answer(lambda: opened.press("faces.hide_go"))
    assert words(told.locator("h2")) == opened.say("faces.hidden", count=1)
    opened.shoot("faces-hide-answer", tmp_path)
    file = opened.fetch(told.locator("a.v-get"), tmp_path)
    with Image.open(file) as image:
        assert image.format == "JPEG"
        assert not image.getexif()
    assert file.read_bytes() != FACES[0].read_bytes()
