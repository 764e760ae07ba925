"use strict";

// Copy the text of an element, or a link as an absolute address; where the browser does not allow that, select or show it.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-link]");
  if (!button) return;
  const { copy, copyLink } = button.dataset;
  const element = copy && document.getElementById(copy);
  if (element) getSelection().selectAllChildren(element);
  const text = element ? element.textContent : new URL(copyLink, location.href).href;
  let words = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (element) words = "Selected: press Ctrl+C";
    else return void prompt("Copy this link:", text);
  }
  document.getElementById("announcement").textContent = words;
  const label = element ? "Copy" : "Copy link";
  button.firstChild.textContent = words;
  setTimeout(() => { button.firstChild.textContent = label; }, 3000);
});
