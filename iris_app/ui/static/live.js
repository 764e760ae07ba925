"use strict";

// Answers a change in the form in place, with the very page that the server would answer it with.

const form = document.getElementById("measurement");
const fields = [...form.querySelectorAll("input[inputmode]")];
const PAUSE = 250; // milliseconds without a key before the server is asked

let timer = 0;
let asked = null;

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(answer, PAUSE);
});

async function answer() {
  if (fields.some((field) => field.value.trim() === "")) return; // still being filled in
  asked?.abort();
  asked = new AbortController();
  const address = `${form.dataset.answers}?${new URLSearchParams(fields.map((field) => [field.name, field.value]))}`;
  let response, text;
  try {
    response = await fetch(address, { signal: asked.signal });
    text = await response.text();
  } catch (error) {
    if (error.name !== "AbortError") announce("The answer could not be brought up to date. Press Classify to try again.");
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.getElementById("measurement")) show(page, response.ok ? address : null);
  else announce(page.querySelector("h1").textContent);
}

function show(page, address) {
  fields.forEach((field) => mirror(field, page.getElementById(field.id), page));
  if (address === null) {
    announce(page.querySelector("[role=alert]").textContent);
    replace(page, "verdict");
    return;
  }
  announce(page.querySelector("#verdict .lead").textContent);
  if (!document.querySelector(".definitions")) document.body.append(page.querySelector(".definitions"));
  document.title = page.title;
  history.replaceState(null, "", address);
  replace(page, "verdict");
  replace(page, "details");
}

function mirror(field, answered, page) {
  field.className = answered.className;
  field.setAttribute("aria-invalid", answered.getAttribute("aria-invalid"));
  document.getElementById(`${field.id}-error`).textContent = page.getElementById(`${field.id}-error`).textContent;
}

function replace(page, id) {
  const answered = page.getElementById(id);
  answered.querySelectorAll("[role=alert]").forEach((alert) => alert.removeAttribute("role")); // announced already
  document.getElementById(id).replaceWith(answered);
}

function announce(text) {
  document.getElementById("announcement").textContent = text.replace(/\s+/g, " ").trim();
}
