// Runs before Gradio: the page's language is that of its address, not that of the browser.
(() => {
  const language = document.currentScript.dataset.language;
  const words = window.vnvisionWords || {};
  for (const [key, value] of [["language", language], ["languages", [language]]]) {
    Object.defineProperty(navigator, key, { get: () => value, configurable: true });
  }

  function put(node, set) {
    const told = node.trim();
    if (!told) return;
    const found = words[told];
    if (found) set(node.replace(told, found));
  }
  function look(root) {
    if (root.nodeType === Node.TEXT_NODE) {
      put(root.data, (text) => (root.data = text));
      return;
    }
    if (root.nodeType !== Node.ELEMENT_NODE || root.closest(".v-answer, textarea, input, code")) {
      if (root.nodeType === Node.ELEMENT_NODE && root.matches("textarea, input")) attributes(root);
      return;
    }
    attributes(root);
    for (const child of root.childNodes) look(child);
  }
  function attributes(element) {
    for (const name of ["aria-label", "title", "placeholder"]) {
      const value = element.getAttribute(name);
      if (value && words[value.trim()]) element.setAttribute(name, words[value.trim()]);
    }
  }
  // What Gradio leaves without a name, a screen reader needs one for.
  function name(root) {
    if (!root.querySelectorAll) return;
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
    document.body && document.body.classList.remove("dark");
    const boot = document.getElementById("boot");
    if (boot && document.querySelector(".v-top") && document.querySelector("[role=tab]")) boot.remove();
  });
  function keep() {
    if (document.documentElement.lang !== language) document.documentElement.lang = language;
  }
  observer.observe(document.documentElement, {
    subtree: true, childList: true, characterData: true, attributes: true,
    attributeFilter: ["aria-label", "title", "placeholder", "lang"],
  });
})();
