"""By keyboard alone, on a narrow screen, and with a thumb."""

import pytest
from opened import INNER, TABS
from test_axe import EXAMPLES, places

_FOCUS = """() => {
  const one = document.activeElement, look = getComputedStyle(one);
  return { tag: one.tagName, text: (one.getAttribute("aria-label") || one.innerText || "").trim(), id: one.id,
    role: one.getAttribute("role"), href: one.getAttribute("href"),
    outlined: one === document.body || (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 1) };
}"""
_SMALL = """(least) => [...document.querySelectorAll(
    "button, a[href], [role=tab], [role=option], input[type=range], label:has(input), summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !one.inert)
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([one, box]) => box.width && box.right > 0 && (box.width < least || box.height < least))
  .filter(([one]) => getComputedStyle(one).display !== "inline" && !one.closest("[aria-hidden=true]"))
  .map(([one, box]) => `${one.outerHTML.slice(0, 160)} ${Math.round(box.width)}x${Math.round(box.height)}`)"""
MAIN = (
    ".v-top nav a, #v-tabs > .tab-wrapper [role=tab], button.primary, a.v-get, button.v-example, "
    ".source-selection button, .overflow-menu > button"
)


def tab_to(page, wanted, key="Tab", most=80):
    """Press Tab until the focus is where it is wanted; every stop on the way must be seen."""
    unseen = []
    for _ in range(most):
        page.keyboard.press(key)
        page.wait_for_timeout(20)
        focus = page.evaluate(_FOCUS)
        if not focus["outlined"]:
            unseen.append(focus)
        if wanted(focus):
            assert unseen == [], "the focus cannot be seen on its way"
            return focus
    pytest.fail(f"not reached with {most} presses; the last focus was {focus}")


def test_by_keyboard_alone(opened, tmp_path):
    page = opened.page
    tab_to(page, lambda one: one["id"] == "tab-clinic-button")
    page.keyboard.press("Enter")
    page.locator("#tab-clinic").wait_for()
    opened.settle()
    tab_to(page, lambda one: one["id"] == "tab-crops-button", "Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("#tab-crops").wait_for()
    opened.settle()
    tab_to(page, lambda one: one["text"] == opened.say("crops.example.spots"))
    told = opened.answer(lambda: page.keyboard.press("Enter"))
    assert told.locator("h2").first.inner_text()
    tab_to(page, lambda one: one["tag"] == "A" and (one["href"] or "").startswith("/get/"))
    with page.expect_download() as coming:
        page.keyboard.press("Enter")
    assert coming.value.suggested_filename.endswith(".pdf")

    tab_to(page, lambda one: one["role"] == "combobox", "Shift+Tab")
    page.keyboard.press("ArrowDown")
    page.locator("[role=option]:visible").first.wait_for()
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowDown")
    opened.answer(lambda: page.keyboard.press("Enter"))

    other = "/en" if opened.language == "vi" else "/"
    tab_to(page, lambda one: one["href"] == other, "Shift+Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_selector("#boot", state="detached")
    assert page.evaluate("document.documentElement.lang") != opened.language


def test_the_inner_tabs_by_keyboard(opened):
    page = opened.page
    opened.tab("faces")
    page.locator("#tab-faces-button").focus()
    for inner in INNER[1:]:
        tab_to(
            page,
            lambda one, inner=inner: one["role"] == "tab" and one["text"] == opened.say(f"faces.{inner}"),
        )
        page.keyboard.press("Enter")
        opened.settle()
        assert page.locator(".v-inner [role=tab][aria-selected=true]").inner_text() == opened.say(
            f"faces.{inner}"
        )


def test_a_narrow_screen(new_context, server, language):
    from opened import Opened

    size = {"width": 360, "height": 800}
    opened = Opened(new_context(viewport=size, has_touch=True).new_page(), server.address, language)
    faults = []

    def check(where):
        wide = opened.page.evaluate("document.scrollingElement.scrollWidth")
        if wide > 360:
            faults.append((where, f"{wide} px wide"))
        faults.extend((where, one) for one in opened.page.evaluate(_SMALL, 24))
        for one in opened.page.locator(MAIN).filter(visible=True).all():
            box = one.bounding_box()
            if box and box["height"] < 43.5:
                faults.append((where, f"{one.evaluate('one => one.outerHTML.slice(0, 120)')} {box}"))

    for name, go in places(opened):
        go()
        check(name)
        if name in EXAMPLES:
            opened.answer(lambda name=name: opened.press(EXAMPLES[name]), 120)
            check(f"{name}, answered")
    told = "\n".join(f"{where}: {what}" for where, what in dict.fromkeys(faults))
    assert not faults, told
    assert len(TABS) == 7
