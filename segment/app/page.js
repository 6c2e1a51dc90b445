// Gradio names all its places to drop files alike, and other than what they show: name each by its label and its text.
() => {
  const name = () => {
    for (const button of document.querySelectorAll("button[aria-dropeffect]")) {
      const label = button.closest(".block")?.querySelector("label")?.innerText.trim() ?? "";
      const wanted = `${label}: ${button.innerText.replace(/\s+/g, " ").trim()}`;
      if (button.getAttribute("aria-label") !== wanted) button.setAttribute("aria-label", wanted);
    }
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
};
