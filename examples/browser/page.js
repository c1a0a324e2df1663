// Uploads and plays with what a server signed. No library, no key.

const PARTS_AT_ONCE = 3;

/// Sends a body, telling how much of it has gone. The answer's ETag comes out; a refusal is an error with S3's own words.
function send(method, url, body, progress = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        resolve({ etag: request.getResponseHeader("ETag"), text: request.responseText });
      } else {
        reject(refusal(request.responseText) ?? new Error(`HTTP status ${request.status}`));
      }
    });
    // A browser says no more where CORS rules do not let the page read the answer.
    request.addEventListener("error", () => reject(new Error("No answer that this page may read: is its origin in the CORS rules?")));
    request.send(body);
  });
}

/// S3's code and message, where the answer is one of its errors.
function refusal(text) {
  const document = new DOMParser().parseFromString(text, "application/xml");
  const code = document.querySelector("Error > Code")?.textContent;
  return code && new Error(`${code}: ${document.querySelector("Error > Message")?.textContent}`);
}

async function put(fields, progress) {
  const file = fields.file.files[0];
  const { etag } = await send("PUT", fields.link.value, file, (sent) => progress(sent / file.size));
  return `Stored, ETag ${etag}`;
}

async function post(fields, progress) {
  const { url, fields: signed } = JSON.parse(fields.form.value);
  const form = new FormData();
  for (const [name, value] of Object.entries(signed)) form.append(name, value);
  const file = fields.file.files[0];
  form.append("file", file);
  const { etag } = await send("POST", url, form, (sent) => progress(Math.min(1, sent / file.size)));
  return `Stored, ETag ${etag}`;
}

async function parts(fields, progress) {
  const links = JSON.parse(fields.links.value);
  const file = fields.file.files[0];
  const count = Math.max(1, Math.ceil(file.size / links.partSize));
  if (count > links.parts.length) throw new Error(`The file has ${count} parts, and there are links for ${links.parts.length}`);
  const sent = new Array(count).fill(0);
  const etags = new Array(count);
  const waiting = [...etags.keys()];
  const worker = async () => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      const part = file.slice(at * links.partSize, (at + 1) * links.partSize);
      const answer = await send("PUT", links.parts[at], part, (bytes) => {
        sent[at] = bytes;
        progress(sent.reduce((sum, one) => sum + one, 0) / file.size);
      });
      etags[at] = answer.etag;
    }
  };
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, worker));
  const named = etags.map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join("");
  const body = `<CompleteMultipartUpload>${named}</CompleteMultipartUpload>`;
  const { text } = await send("POST", links.complete, body);
  // Completing a large upload answers 200 before it is done: an error may stand in the body.
  const failed = refusal(text);
  if (failed) throw failed;
  const etag = new DOMParser().parseFromString(text, "application/xml").querySelector("ETag")?.textContent;
  return `Stored in ${count} parts, ETag ${etag}`;
}

async function play(fields, _, fieldset) {
  const video = fieldset.querySelector("video");
  video.src = fields.link.value;
  await new Promise((resolve, reject) => {
    video.onloadedmetadata = resolve;
    video.onerror = () => reject(new Error(`The video cannot be played: ${video.error?.message}`));
  });
  return `${video.duration.toFixed(1)} s`;
}

for (const [id, action] of Object.entries({ put, post, parts, play })) {
  const fieldset = document.getElementById(id);
  const [button, bar, output] = ["button", "progress", "output"].map((name) => fieldset.querySelector(name));
  button.addEventListener("click", async () => {
    button.disabled = true;
    output.className = output.textContent = "";
    try {
      output.textContent = await action(fieldset.elements, (share) => { bar.value = share; }, fieldset);
      if (bar) bar.value = 1;
      output.className = "done";
    } catch (error) {
      output.textContent = error.message;
      output.className = "failed";
    } finally {
      button.disabled = false;
    }
  });
}
