"use strict";

// Copy the text of an element to the clipboard, or select it where the browser does not allow that.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const element = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(element);
  let words = "Copied";
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    words = "Selected: press Ctrl+C";
  }
  document.getElementById("announcement").textContent = words;
  button.firstChild.textContent = words;
  setTimeout(() => { button.firstChild.textContent = "Copy"; }, 3000);
});
