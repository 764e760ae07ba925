"use strict";

// Keep the last answers of the tab in its session storage, and show them as a table.

const MAX_ANSWERS = 10;

document.addEventListener("DOMContentLoaded", record);
document.addEventListener("answer", record); // of live.js
document.addEventListener("click", (event) => {
  if (!event.target.closest("#history button")) return;
  sessionStorage.removeItem(key());
  showAnswers([]);
  document.getElementById("announcement").textContent = "The list is empty.";
});

function key() {
  return `answers-${document.getElementById("history").dataset.schema}`;
}

function record() {
  const section = document.getElementById("history");
  if (section === null) return;
  const answers = JSON.parse(sessionStorage.getItem(key()) ?? "[]");
  if (section.dataset.answer) {
    const answer = JSON.parse(section.dataset.answer);
    if (answers[0]?.line !== answer.line) answers.unshift(answer);
    answers.length = Math.min(answers.length, MAX_ANSWERS);
    sessionStorage.setItem(key(), JSON.stringify(answers));
  }
  showAnswers(answers);
}

function showAnswers(answers) {
  const section = document.getElementById("history");
  section.hidden = answers.length === 0;
  section.querySelector("tbody").replaceChildren(...answers.map((answer) => row(answer.cells)));
  const link = section.querySelector("a[download]");
  URL.revokeObjectURL(link.href);
  const lines = answers.map((answer) => answer.line).reverse();
  link.href = URL.createObjectURL(new Blob([answers[0]?.header ?? "", "\n", ...lines], { type: "text/csv" }));
}

function row(cells) {
  const tr = document.createElement("tr");
  for (const text of cells) tr.insertCell().textContent = text;
  return tr;
}
