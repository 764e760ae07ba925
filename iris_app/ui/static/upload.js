"use strict";

// Send the file in place, with a progress bar, so that it stays selected.

const form = document.getElementById("upload");
const button = form.querySelector("button");
const progress = document.getElementById("progress");

form.file.addEventListener("change", () => mark(""));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") return; // one request at a time
  busy(true);
  const data = new FormData(form);
  const [file] = form.file.files;
  if (file) {
    try {
      data.set("file", new File([await file.arrayBuffer()], file.name));
    } catch {
      form.file.value = ""; // browsers refuse to read a file that changed after it was selected
      fail("The file has changed since you chose it. Please choose it again.");
      return;
    }
  }
  send(data);
});

function send(data) {
  const request = new XMLHttpRequest(); // fetch reports no upload progress
  request.upload.addEventListener("progress", ({ loaded, total }) => report(loaded / total));
  request.addEventListener("load", () => show(new DOMParser().parseFromString(request.responseText, "text/html")));
  request.addEventListener("error", () => fail("The file could not be sent. Please try again."));
  request.open("POST", form.action);
  request.setRequestHeader("X-Live", "1");
  request.send(data);
}

function busy(yes) {
  button.setAttribute("aria-disabled", yes); // unlike disabled, this keeps the focus
  progress.classList.toggle("d-none", !yes);
  if (yes) report(0);
}

function report(share) {
  const bar = progress.querySelector("progress");
  const words = share < 1 ? "Sending" : "Classifying";
  if (progress.firstChild.textContent.trim() !== words) announce(`${words}…`);
  progress.firstChild.textContent = `${words} `;
  if (share < 1) bar.value = share;
  else bar.removeAttribute("value"); // sent; the duration of classifying is unknown
}

function show(page) {
  const outcome = page.getElementById("outcome");
  if (outcome === null) {
    const texts = [page.querySelector("h1"), page.querySelector(".lead")].map((part) => part?.textContent ?? "");
    fail(texts.join(". ") || "The file could not be classified. Please try again.");
    return;
  }
  busy(false);
  mark(page.getElementById("file-error").textContent);
  announce((outcome.querySelector("[role=alert] p, h2") ?? page.getElementById("file-error")).textContent);
  outcome.querySelectorAll("[role=alert]").forEach((alert) => alert.removeAttribute("role")); // announced already
  document.title = page.title;
  document.getElementById("outcome").replaceWith(outcome);
}

function mark(error) {
  form.file.classList.toggle("is-invalid", error !== "");
  form.file.setAttribute("aria-invalid", error !== "");
  document.getElementById("file-error").textContent = error;
}

function fail(text) {
  busy(false);
  const alert = document.createElement("p");
  alert.className = "alert alert-danger";
  alert.textContent = text;
  document.getElementById("outcome").replaceChildren(alert);
  announce(text);
}

function announce(text) {
  document.getElementById("announcement").textContent = text.replace(/\s+/g, " ").trim();
}
