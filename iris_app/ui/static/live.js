"use strict";

// Update the result in place when the form changes, with the page that the server renders. Fields may have any name, so
// that nothing is asked of the form by a name: `form.action` may be one of them.

const DELAY = 250; // milliseconds after the last key until the request
const MAX_URL_LENGTH = 8000; // the server refuses longer ones

let timer = 0;
let controller = null;

document.addEventListener("input", (event) => {
  if (event.target.id === "filter-text") filter(event.target.value);
  if (!event.target.matches("[data-feature]")) return;
  clearTimeout(timer);
  controller?.abort(); // its response would be outdated
  if (fields().every((field) => !field.required || field.value.trim() !== "")) timer = setTimeout(update, DELAY);
  else mark(event.target, "");
});

function fields() {
  return [...document.querySelectorAll("#entry [data-feature]")];
}

function filter(text) {
  const wanted = text.trim().toLowerCase();
  for (const field of document.querySelectorAll("#entry [data-field]")) {
    field.classList.toggle("d-none", !field.textContent.toLowerCase().includes(wanted));
  }
}

async function update() {
  controller = new AbortController();
  const values = new URLSearchParams(fields().map((field) => [field.name, field.value]));
  const address = `${document.getElementById("entry").dataset.answers}?${values}`;
  let text;
  try {
    const response = await request(address, { signal: controller.signal, headers: { "X-Live": "1" } });
    text = await response.text();
  } catch (error) {
    if (error.name !== "AbortError") fail("The answer below is not up to date: the server could not be reached.");
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.getElementById("entry")) show(page, address);
  else fail(`The answer below is not up to date: ${page.querySelector("h1")?.textContent ?? "the server could not be reached"}.`);
}

function request(address, options) {
  const { name, value } = digest(document);
  const asked = `${address}&${new URLSearchParams([[name, value]])}`;
  if (asked.length <= MAX_URL_LENGTH) return fetch(asked, options);
  const body = new URLSearchParams(new FormData(document.querySelector("#entry form")));
  return fetch(address.split("?")[0], { ...options, method: "POST", body });
}

function show(page, address) {
  if (digest(page).value !== digest(document).value) {
    document.getElementById("main").replaceWith(page.getElementById("main")); // another model asks for other values
    announce(document.querySelector("#verdict [role=alert]").textContent);
    return;
  }
  fields().forEach((field) => mark(field, page.getElementById(`${field.id}-error`).textContent));
  const answered = page.getElementById("probabilities") !== null;
  announce(page.querySelector(answered ? "#verdict .lead" : "#verdict [role=alert]").textContent);
  if (answered && address.length <= MAX_URL_LENGTH) history.replaceState(null, "", address);
  const definitions = page.querySelector(".definitions");
  if (definitions && !document.querySelector(".definitions")) document.body.append(definitions);
  document.title = page.title;
  replace(page, "verdict");
  replace(page, "details");
}

function digest(page) {
  return page.querySelector("#entry [data-digest]");
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
