"use strict";

// Swagger UI does not ask what the system likes, but can be told.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

const place = document.getElementById("swagger-ui");

// Nor does it name every field that it draws, or let the keyboard scroll its examples.
const name = (selector, label) => {
  place.querySelectorAll(`${selector}:not([aria-label])`).forEach((field) => field.setAttribute("aria-label", label));
};
const mend = () => {
  name("textarea.body-param__text", "Request body");
  name(".parameters select", "Value of the parameter");
  name("select.content-type", "Media type");
  place.querySelectorAll("pre:not([tabindex])").forEach((example) => { example.tabIndex = 0; });
};
new MutationObserver(mend).observe(place, { childList: true, subtree: true });

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  layout: "BaseLayout",
  deepLinking: false, // its links would stand inside buttons
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
