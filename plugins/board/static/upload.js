// A file goes out as the body of one request, so that nothing of it is kept on the way; the bar shows how far it is.
"use strict";

for (const form of document.querySelectorAll("form.drop")) {
  const file = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const said = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  const tell = (words, wrong) => { said.textContent = words; said.className = wrong ? "stop" : ""; };

  for (const name of ["dragenter", "dragover"]) form.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) form.addEventListener(name, (event) => { event.preventDefault(); form.classList.remove("over"); });
  form.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) file.files = event.dataTransfer.files; });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const one = file.files[0];
    if (!one) return;
    const flow = form.querySelector("select[name=flow]") || form.querySelector("input[name=flow]");
    const request = new XMLHttpRequest();
    request.open("POST", `${form.dataset.to}/${encodeURIComponent(flow.value)}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("x-csrf-token", form.querySelector("input[name=csrf_token]").value);
    request.setRequestHeader("x-file-name", encodeURIComponent(one.name));
    request.responseType = "json";
    request.upload.addEventListener("progress", (step) => { if (step.lengthComputable) { bar.max = step.total; bar.value = step.loaded; } });
    request.addEventListener("load", () => {
      button.disabled = false;
      bar.hidden = true;
      if (request.status === 201) { window.location.assign(request.response.to); return; }
      const found = request.response || {};
      tell([found.words, found.advice].filter(Boolean).join(". ") || form.dataset.failed, true);
    });
    request.addEventListener("error", () => { button.disabled = false; bar.hidden = true; tell(form.dataset.failed, true); });
    button.disabled = true;
    bar.hidden = false;
    bar.value = 0;
    tell(form.dataset.sending, false);
    request.send(one);
  });
}
