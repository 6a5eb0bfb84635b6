// Runs before the page is painted, so that it does not flash in the wrong colours.
const root = document.documentElement;
const dark = matchMedia('(prefers-color-scheme: dark)');
root.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', () => root.classList.toggle('dark-mode', dark.matches));

document.addEventListener('DOMContentLoaded', () => {
  document.getElementById('scheme').addEventListener('click', () => root.classList.toggle('dark-mode'));
  window.SwaggerUIBundle({
    dom_id: '#ui',
    url: '/openapi.json',
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    syntaxHighlight: { theme: 'monokai' },
    tryItOutEnabled: true,
    // No token outlives the page.
    persistAuthorization: false,
  });
});
