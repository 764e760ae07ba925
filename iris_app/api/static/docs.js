"use strict";

// Swagger UI does not ask what the system likes, but can be told.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

const place = document.getElementById("swagger-ui");

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
