"use strict";

// Update the result in place when the form changes, with the page that the server renders.

const form = document.getElementById("measurement");
const fields = [...form.querySelectorAll("input[inputmode]")];
const DELAY = 250; // milliseconds after the last key until the request

let timer = 0;
let controller = null;

form.addEventListener("input", (event) => {
  clearTimeout(timer);
  controller?.abort(); // its response would be outdated
  if (fields.every((field) => field.value.trim() !== "")) timer = setTimeout(update, DELAY);
  else mark(event.target, "");
});

async function update() {
  controller = new AbortController();
  const address = `${form.dataset.answers}?${new URLSearchParams(fields.map((field) => [field.name, field.value]))}`;
  let text;
  try {
    const response = await fetch(address, { signal: controller.signal, headers: { "X-Live": "1" } });
    text = await response.text();
  } catch (error) {
    if (error.name !== "AbortError") fail("The answer below is not up to date: the server could not be reached.");
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.getElementById("measurement")) show(page, address);
  else fail(`The answer below is not up to date: ${page.querySelector("h1")?.textContent ?? "the server could not be reached"}.`);
}

function show(page, address) {
  fields.forEach((field) => mark(field, page.getElementById(`${field.id}-error`).textContent));
  const wrong = page.querySelector("#verdict .alert-link") !== null;
  announce((wrong ? page.querySelector("#verdict [role=alert]") : page.querySelector("#verdict .lead")).textContent);
  if (!wrong) history.replaceState(null, "", address);
  const definitions = page.querySelector(".definitions");
  if (definitions && !document.querySelector(".definitions")) document.body.append(definitions);
  document.title = page.title;
  replace(page, "verdict");
  replace(page, "details");
}

function mark(field, error) {
  field.classList.toggle("is-invalid", error !== "");
  field.setAttribute("aria-invalid", error !== "");
  document.getElementById(`${field.id}-error`).textContent = error;
}

function replace(page, id) {
  const element = page.getElementById(id);
  element.querySelectorAll("[role=alert]").forEach((alert) => alert.removeAttribute("role")); // announced already
  document.getElementById(id).replaceWith(element);
}

function fail(text) {
  const alert = document.createElement("p");
  alert.className = "alert alert-danger";
  alert.textContent = `${text} Press Classify to try again.`;
  document.querySelector("#verdict > .alert-danger")?.remove();
  document.getElementById("verdict").append(alert);
  announce(alert.textContent);
}

function announce(text) {
  document.getElementById("announcement").textContent = text.replace(/\s+/g, " ").trim();
}
