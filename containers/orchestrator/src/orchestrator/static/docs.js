// Where a key is needed, it is asked for, kept for as long as the page is open, and sent with every request.
const description = "/openapi.json";
let key = "";

function show() {
  // validatorUrl: null, since the default would send the description to a server on the internet.
  SwaggerUIBundle({
    url: description,
    dom_id: "#page",
    deepLinking: true,
    validatorUrl: null,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    requestInterceptor: (request) => {
      if (key && !request.headers.Authorization) request.headers.Authorization = `Bearer ${key}`;
      return request;
    },
  });
}

function ask(problem) {
  const form = document.getElementById("key");
  document.getElementById("why").textContent = problem;
  form.hidden = false;
  form.onsubmit = (event) => {
    event.preventDefault();
    form.hidden = true;
    key = form.elements.given.value.trim();
    begin();
  };
}

async function begin() {
  const answer = await fetch(description, key ? { headers: { Authorization: `Bearer ${key}` } } : {});
  if (answer.ok) return show();
  const problem = await answer.json();
  ask(`${problem.title}. ${problem.hint}`);
}

begin();
