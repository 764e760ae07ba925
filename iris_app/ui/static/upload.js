"use strict";

// Send the file in place, with a progress bar, so that it stays selected: for a summary, or for a file to save.

const form = document.getElementById("upload");
const progress = document.getElementById("progress");

form.file.addEventListener("change", () => {
  mark("");
  document.getElementById("outcome").replaceChildren(); // of another file
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!progress.classList.contains("d-none")) return; // one request at a time
  busy(true);
  const data = new FormData(form);
  if (event.submitter?.name) data.set(event.submitter.name, event.submitter.value);
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
  request.responseType = "blob";
  request.addEventListener("load", async () => {
    const [, name] = /^attachment; filename="?([^"]+)/.exec(request.getResponseHeader("Content-Disposition")) ?? [];
    if (name) save(request.response, name);
    else show(new DOMParser().parseFromString(await request.response.text(), "text/html"));
  });
  request.addEventListener("error", () => fail("The file could not be sent. Please try again."));
  request.open("POST", form.action);
  request.setRequestHeader("X-Live", "1");
  request.send(data);
}

function busy(yes) {
  for (const button of document.querySelectorAll("button")) button.setAttribute("aria-disabled", yes); // keeps the focus
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

function save(content, name) {
  busy(false);
  mark("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
  announce(`Downloaded ${name}.`);
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
  outcome.querySelectorAll("[role=alert]").forEach((alert) => alert.removeAttribute("role")); // read out when it has the focus
  document.title = page.title;
  const target = outcome.querySelector("[autofocus]") ?? form.file;
  target.removeAttribute("autofocus"); // which is for a page that loads
  document.getElementById("outcome").replaceWith(outcome);
  target.focus();
  announce(document.getElementById("file-error").textContent);
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
