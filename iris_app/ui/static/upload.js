"use strict";

// Sends the file in place, so that its way can be watched and the file stays chosen.

const form = document.getElementById("upload");
const button = form.querySelector("button");
const progress = document.getElementById("progress");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const request = new XMLHttpRequest(); // fetch does not tell how much was sent
  request.upload.addEventListener("progress", ({ loaded, total }) => report(loaded / total));
  request.addEventListener("load", () => show(new DOMParser().parseFromString(request.responseText, "text/html")));
  request.addEventListener("error", () => announce("The file could not be sent. Please try again."));
  request.addEventListener("loadend", () => busy(false));
  request.open("POST", form.action);
  request.send(new FormData(form));
  busy(true);
});

function busy(yes) {
  button.disabled = yes;
  progress.classList.toggle("d-none", !yes);
  if (yes) report(0);
}

function report(share) {
  const bar = progress.querySelector("progress");
  progress.firstChild.textContent = share < 1 ? "Sending " : "Classifying ";
  if (share < 1) bar.value = share;
  else bar.removeAttribute("value"); // sent; how long the answer takes is not known
}

function show(page) {
  const outcome = page.getElementById("outcome");
  if (outcome === null) {
    announce(page.querySelector("h1").textContent);
    return;
  }
  const said = outcome.querySelector("[role=alert] p, h2") ?? page.getElementById("file-error");
  announce(said.textContent);
  document.getElementById("file-error").textContent = page.getElementById("file-error").textContent;
  form.file.className = page.getElementById("file").className;
  document.title = page.title;
  document.getElementById("outcome").replaceWith(outcome);
}

function announce(text) {
  document.getElementById("announcement").textContent = text.replace(/\s+/g, " ").trim();
}
