"use strict";

// Swagger UI does not follow the system's dark setting by itself.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

const container = document.getElementById("swagger-ui");

// Nor does it label every field, or make its examples scrollable by keyboard.
const label = (selector, text) => {
  container.querySelectorAll(`${selector}:not([aria-label])`).forEach((field) => field.setAttribute("aria-label", text));
};
const fixAccessibility = () => {
  label("textarea.body-param__text", "Request body");
  label(".parameters select", "Value of the parameter");
  label("select.content-type", "Media type");
  container.querySelectorAll("pre:not([tabindex])").forEach((example) => { example.tabIndex = 0; });
};
new MutationObserver(fixAccessibility).observe(container, { childList: true, subtree: true });

// Its half a megabyte is loaded when it is asked for.
const button = document.getElementById("open");
const announcement = document.getElementById("announcement");
button.addEventListener("click", () => {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  announcement.textContent = "Loading…";
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = container.dataset.style;
  const script = document.createElement("script");
  script.src = container.dataset.script;
  script.addEventListener("load", show);
  script.addEventListener("error", () => {
    button.setAttribute("aria-disabled", "false");
    announcement.textContent = "It could not be loaded. Please try again.";
  });
  document.head.append(style, script);
});

function show() {
  const page = document.getElementById("api-page"); // Swagger UI has its own main landmark
  const section = document.createElement("section");
  section.setAttribute("aria-labelledby", "api");
  section.append(...page.childNodes);
  page.replaceWith(section);
  button.parentElement.remove();
  announcement.textContent = "";
  document.getElementById("requests").focus();
  SwaggerUIBundle({
    domNode: container,
    url: container.dataset.url,
    layout: "BaseLayout",
    deepLinking: false, // its links would be inside buttons
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
  });
}
