"""axe-core finds nothing serious: every tab, both languages and sizes, before and after an answer."""

import pytest
from opened import INNER, SIZES, TABS

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
EXAMPLES = {
    "crops": "crops.example.spots",
    "clinic": "clinic.example.ct",
    "faces compare": "faces.example.same",
    "faces hide": "faces.example.hide",
    "fairness": "fairness.example.drawn",
    "batch": "batch.example.leaves",
}
_RUN = """async (tags) => {
  const told = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return told.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) =>
    [one.id, one.help, one.nodes.slice(0, 4).map((node) => node.html.slice(0, 200) + " @ " + node.target)]);
}"""


@pytest.fixture
def check(opened, axe):
    opened.page.evaluate(axe)
    opened.faults = {}

    def look(where):
        for size, (width, height) in SIZES.items():
            opened.page.set_viewport_size({"width": width, "height": height})
            opened.settle()
            opened.page.wait_for_timeout(300)
            for rule, help_, nodes in opened.page.evaluate(_RUN, RULES):
                opened.faults.setdefault((rule, help_), []).append((where, size, nodes))
        opened.page.set_viewport_size({"width": 1280, "height": 900})

    yield look
    told = "\n".join(f"{rule}: {places[0]}, {len(places)} places" for rule, places in opened.faults.items())
    assert not opened.faults, told


def places(opened):
    for tab in TABS:
        if tab != "faces":
            yield tab, lambda tab=tab: opened.tab(tab)
    for inner in INNER:
        yield f"faces {inner}", lambda inner=inner: (opened.tab("faces"), opened.inner(inner))


def test_every_tab(opened, check):
    for name, go in places(opened):
        go()
        check(name)
        if name in EXAMPLES:
            opened.answer(lambda name=name: opened.press(EXAMPLES[name]), 120)
            check(f"{name}, answered")


def test_lists_menus_problems_and_the_camera(opened, check):
    opened.tab("crops")
    opened.options("crops.expert")
    check("list open")
    opened.page.keyboard.press("Escape")
    camera = "Chụp bằng máy ảnh" if opened.language == "vi" else "Capture from camera"
    opened.panel.get_by_role("button", name=camera).click()
    opened.page.wait_for_timeout(300)
    check("camera chosen")
    opened.panel.locator(".v-photo button:visible").first.click()
    opened.page.locator("video:visible").wait_for()
    opened.page.wait_for_timeout(500)
    check("camera open")
    opened.tab("batch")
    opened.answer(lambda: opened.press("batch.go"))
    check("a problem")
    opened.page.set_viewport_size({"width": 360, "height": 800})
    opened.settle()
    opened.page.locator("#v-tabs > .tab-wrapper .overflow-menu > button").click()
    check("menu of tabs open")
