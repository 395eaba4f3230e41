// Runs before Gradio: the page's language is that of its address, not that of the browser.
(() => {
  const { language, title } = document.currentScript.dataset;
  const { words = {}, sentences = [] } = window.vnvisionWords || {};
  const patterns = sentences.map(([pattern, said]) => [new RegExp(`^${pattern}$`, "s"), said]);
  for (const [key, value] of [["language", language], ["languages", [language]]]) {
    Object.defineProperty(navigator, key, { get: () => value, configurable: true });
  }

  function ours(told) {
    if (words[told]) return words[told];
    const found = patterns.find(([pattern]) => pattern.test(told));
    return found && told.replace(found[0], found[1]);
  }
  function put(node, set) {
    const told = node.trim();
    const found = told && ours(told);
    if (found && found !== told) set(node.replace(told, () => found));
  }
  function look(root) {
    if (root.nodeType === Node.TEXT_NODE) {
      put(root.data, (text) => (root.data = text));
      return;
    }
    if (root.nodeType !== Node.ELEMENT_NODE || root.closest(".prose.v-answer, textarea, input, code")) {
      if (root.nodeType === Node.ELEMENT_NODE && root.matches("textarea, input")) attributes(root);
      return;
    }
    attributes(root);
    for (const child of root.childNodes) look(child);
  }
  function attributes(element) {
    // A name that differs from the words on the button misleads those who speak to their computer.
    const button = element.matches("button[aria-dropeffect][aria-label]");
    if (button && element.textContent.trim()) element.removeAttribute("aria-label");
    for (const name of ["aria-label", "title", "placeholder"]) {
      put(element.getAttribute(name) || "", (value) => element.setAttribute(name, value));
    }
  }
  // What Gradio leaves without a name, a screen reader needs one for.
  function name(root) {
    if (!root.querySelectorAll) return;
    // A wide table scrolls on a phone: keys must reach it.
    for (const table of [root, ...root.querySelectorAll("table")]) {
      if (table.matches(".v-card-text table")) table.tabIndex = 0;
    }
    for (const input of root.querySelectorAll('input[type="file"]:not([aria-label])')) {
      const block = input.closest(".block");
      const label = block && block.querySelector("label, .v-label");
      input.setAttribute("aria-label", (label && label.textContent.trim()) || words["Upload"] || "Upload");
    }
  }
  const observer = new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") look(change.target);
      else if (change.type === "attributes") {
        if (change.target === document.documentElement) keep();
        else attributes(change.target);
      } else for (const node of change.addedNodes) { look(node); name(node); }
    }
    keep();
    document.body && document.body.classList.remove("dark");
    const boot = document.getElementById("boot");
    if (boot && document.querySelector(".v-top") && document.querySelector("[role=tab]")) boot.remove();
  });
  function keep() {
    if (document.documentElement.lang !== language) document.documentElement.lang = language;
    if (document.title !== title) document.title = title; // Gradio knows one title for both pages
  }
  // On a phone the answer lies below what was pressed: bring it into view, also while it is awaited.
  function follow(panel) {
    const answers = panel ? [...panel.querySelectorAll(".v-main")].filter((one) => one.offsetParent) : [];
    if (!answers.length) return;
    const box = answers[0].getBoundingClientRect();
    if (box.top >= 0 && box.top < window.innerHeight * 0.7) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    window.scrollTo({ top: window.scrollY + box.top - 12, behavior: calm ? "auto" : "smooth" });
  }
  function later(element, after_ms) {
    const panel = element.closest("[role=tabpanel]"); // now: Gradio may take the element away
    setTimeout(() => follow(panel), after_ms);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button.primary, button.v-example");
    if (button && button.closest(".v-follow, .v-examples")) later(button, 120);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches && event.target.matches(".v-follow input[type=file]")) later(event.target, 400);
  });
  // Gradio's sliders tell of a pointer that lets go, and of nothing else: keys and typed numbers count, too.
  function letGo(element) {
    element.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
  }
  document.addEventListener("keyup", (event) => {
    const steps = /^(Arrow|Page|Home|End)/.test(event.key);
    if (steps && event.target.matches && event.target.matches("input[type=range]")) letGo(event.target);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches && event.target.matches("input[type=number]")) letGo(event.target);
  });
  observer.observe(document.documentElement, {
    subtree: true, childList: true, characterData: true, attributes: true,
    attributeFilter: ["aria-label", "title", "placeholder", "lang"],
  });
})();
