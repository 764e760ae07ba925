"use strict";

// Answer in place when a field is left, with the page that the server renders. While a field is typed in, it is told no
// error; only after a long pause it is answered. Fields may have any name, so that nothing is asked of the form by a name:
// `form.action` may be one of them.

const MAX_URL_LENGTH = 8000; // the server refuses longer ones
const MAX_NAMED = 12; // values that a note names
const PAUSE = 1500; // milliseconds without a key until a row that is complete is answered
const PATIENCE = 1000; // milliseconds until it is announced that a request takes long

let timer = 0; // of the pause
let request = null; // the one under way
let answered = null; // the values that the answer on the page is for
let here = ""; // the address of what the page shows
let left = new Set(); // the fields whose errors are shown

document.addEventListener("DOMContentLoaded", begin);
document.addEventListener("input", (event) => {
  if (event.target.id === "filter-text") filter(event.target.value);
  if (!isField(event.target)) return;
  cancel();
  left.delete(event.target.id);
  mark(event.target, "");
  if (isComplete() && !isAnswered()) timer = setTimeout(() => ask(read(), (page) => answerOf(page) || isOther(page)), PAUSE);
});
document.addEventListener("change", (event) => {
  if (!isField(event.target)) return;
  left.add(event.target.id);
  if (!isAnswered()) ask(read());
});
document.addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text").trim();
  if (!isField(event.target) || !/\S[\s;,|:]+\S/.test(text)) return;
  const { target } = event;
  const texts = fields().map((field) => [field.name, field === target ? text : ""]);
  setTimeout(() => ask(texts, (page) => isSpread(page, texts))); // after the text is in the field
});
document.addEventListener("submit", () => {
  cancel();
  request = new AbortController(); // the browser's own
  refresh();
});
addEventListener("pageshow", (event) => event.persisted && cancel());
addEventListener("popstate", () => {
  if (address() !== here) restore(); // else only the place on the page changed
});

function begin() {
  here = address();
  left = new Set(fields().some((field) => field.matches(".is-invalid")) ? fields().map(({ id }) => id) : []);
  answered = answerOf(document) ? fields().map((field) => [field.id, describe(field, true)]) : null;
  refresh();
}

function address() {
  return location.pathname + location.search;
}

function isField(element) {
  return element.matches("#entry [data-feature]");
}

function fields(page = document) {
  return [...page.querySelectorAll("#entry [data-feature]")];
}

function read() {
  return fields().map((field) => [field.name, field.value]);
}

function answerOf(page) {
  return page.getElementById("history")?.dataset.answer;
}

function filter(text) {
  const wanted = text.trim().toLowerCase();
  let found = 0;
  for (const field of document.querySelectorAll("#entry [data-field]")) {
    const isFound = field.textContent.toLowerCase().includes(wanted);
    field.classList.toggle("d-none", !isFound);
    found += isFound;
  }
  document.getElementById("filter-result").textContent = found ? "" : "No field has this in its name.";
}

// Describe a field with its value, or with the one that the page came with.
function describe(field, first = false) {
  const options = [...(field.options ?? [])];
  const chosen = options.find((option) => (first ? option.defaultSelected : option.selected)) ?? options[0];
  const text = chosen ? chosen.text : first ? field.defaultValue : field.value;
  const label = field.labels[0].firstChild.textContent.trim();
  const unit = document.getElementById(`${field.id}-unit`)?.textContent ?? "";
  return `${label} ${text.trim() || "not known"} ${text.trim() && unit}`.trim();
}

function isAnswered() {
  return answered !== null && answered.every(([id, text]) => describe(document.getElementById(id)) === text);
}

function isComplete() {
  return fields().every((field) => !field.required || field.value.trim() !== "");
}

// Check whether the server put a row that was sent in one field into all of them.
function isSpread(page, texts) {
  return fields(page).some((field, index) => texts[index][1] === "" && field.value !== "");
}

function cancel() {
  clearTimeout(timer);
  request?.abort();
  request = null;
  refresh();
}

// Ask for the answer to texts, and show it, or their errors, if the page is one that is wanted.
async function ask(texts, isWanted = () => true) {
  const url = `${document.getElementById("entry").dataset.answers}?${new URLSearchParams(texts)}`;
  const { name, value } = digest(document);
  const asked = `${url}&${new URLSearchParams([[name, value]])}`;
  const page = await (asked.length > MAX_URL_LENGTH ? load(url.split("?")[0], body(texts)) : load(asked)).catch(fail);
  if (page && isWanted(page)) show(page, texts, url);
  refresh();
}

function body(texts) {
  const data = new FormData(document.querySelector("#entry form"));
  for (const [name, text] of texts) data.set(name, text);
  return new URLSearchParams(data);
}

// Return a page of the form or of an answer.
async function load(url, data) {
  cancel();
  const own = (request = new AbortController());
  refresh();
  document.getElementById("failure")?.remove();
  const patience = setTimeout(() => announce("Classifying…"), PATIENCE);
  try {
    const options = { signal: own.signal, headers: { "X-Live": "1" }, ...(data && { method: "POST", body: data }) };
    const text = await (await fetch(url, options)).text();
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.getElementById("entry")) return page;
    throw new Error(page.querySelector("h1")?.textContent ?? "");
  } finally {
    clearTimeout(patience);
    if (request === own) request = null;
  }
}

function show(page, texts, url) {
  if (isOther(page)) {
    swap(page);
    announce(document.querySelector("#verdict [role=alert]").textContent);
    return;
  }
  const spread = isSpread(page, texts) && fields(page);
  fields().forEach((field, index) => {
    if (spread) {
      field.value = spread[index].value;
      left.add(field.id);
    }
    if (left.has(field.id)) mark(field, page.getElementById(`${field.id}-error`).textContent);
  });
  replace(page, "repairs");
  if (answerOf(page)) showAnswer(page, url);
  else if (answered === null && document.querySelector("#verdict .alert")) showVerdict(page);
}

function showAnswer(page, url) {
  announce(page.querySelector("#verdict .lead").textContent);
  showVerdict(page);
  replace(page, "details");
  document.getElementById("history").dataset.answer = answerOf(page);
  showDefinitions(page);
  answered = fields().map((field) => [field.id, describe(field)]);
  if (url.length <= MAX_URL_LENGTH) {
    // One entry for all edits of an answer, so that Back leads to the one before.
    history[history.state?.edited ? "replaceState" : "pushState"]({ edited: true }, "", url);
    here = address();
  }
  document.dispatchEvent(new Event("answer"));
}

function showVerdict(page) {
  document.title = page.title;
  replace(page, "verdict");
}

function showDefinitions(page) {
  const definitions = page.querySelector(".definitions");
  if (definitions && !document.querySelector(".definitions")) document.body.append(definitions);
}

async function restore() {
  const page = await load(location.href).catch(() => location.reload());
  if (!page) return;
  swap(page);
  announce(document.querySelector("h1").textContent);
}

function swap(page) {
  document.title = page.title;
  document.getElementById("main").replaceWith(page.getElementById("main"));
  showDefinitions(page);
  begin();
  cancel(); // a field that goes may have asked once more
  document.dispatchEvent(new Event("answer"));
}

// Check whether another model took over, which asks for other values.
function isOther(page) {
  return digest(page).value !== digest(document).value;
}

function digest(page) {
  return page.querySelector("#entry [data-digest]");
}

function mark(field, error) {
  const element = document.getElementById(`${field.id}-error`);
  if (error !== "" && error !== element.textContent) announce(error);
  field.classList.toggle("is-invalid", error !== "");
  field.setAttribute("aria-invalid", error !== "");
  element.textContent = error;
}

function replace(page, id) {
  const element = page.getElementById(id);
  element.querySelectorAll("[role=alert]").forEach((alert) => alert.removeAttribute("role")); // announced already
  document.getElementById(id).replaceWith(element);
}

// Show whether the answer is for the values in the form, and if not, for which ones.
function refresh() {
  const isBusy = request !== null;
  const isEarlier = answered !== null && (isBusy || !isAnswered());
  for (const id of ["verdict", "details"]) {
    const part = document.getElementById(id);
    part.setAttribute("aria-busy", isBusy);
    part.classList.toggle("earlier", isEarlier);
  }
  const busy = isBusy && (isEarlier || isComplete()) ? "Classifying…" : "";
  note([busy, isEarlier ? `This answer is for other values: ${nameValues()}.` : ""].join(" ").trim());
}

// Name the values that the answer is for; where there are many, those that were changed since.
function nameValues() {
  const changed = answered.filter(([id, text]) => describe(document.getElementById(id)) !== text);
  const named = answered.length > MAX_NAMED ? changed : answered;
  return named.slice(0, MAX_NAMED).map(([, text]) => text).join(", ") + (named.length > MAX_NAMED ? ", …" : "");
}

function note(text) {
  const element = document.getElementById("note") ?? document.createElement("p");
  element.id = "note";
  element.className = "fw-semibold border-start border-4 ps-3";
  element.textContent = text;
  if (text === "") element.remove();
  else document.getElementById("details").prepend(element);
}

function fail(error) {
  if (error.name === "AbortError") return;
  const reason = (error.name === "Error" && error.message) || "the server could not be reached";
  const alert = document.createElement("p");
  alert.id = "failure";
  alert.className = "alert alert-danger";
  const state = answered === null ? "Nothing was classified" : "The answer is not up to date";
  alert.textContent = `${state}: ${reason}. Press Classify to try again.`;
  document.getElementById("verdict").append(alert);
  announce(alert.textContent);
}

function announce(text) {
  document.getElementById("announcement").textContent = text.replace(/\s+/g, " ").trim();
}
