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

SwaggerUIBundle({
  domNode: container,
  url: container.dataset.url,
  layout: "BaseLayout",
  deepLinking: false, // its links would be inside buttons
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
