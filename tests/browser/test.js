// The page of examples/browser in headless Chromium: what a person would do with it, against a postern of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import * as aws from "@aws-sdk/client-s3";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import puppeteer from "puppeteer-core";

const Bucket = "browser-test";
const MIB = 1024 * 1024;
const keys = { accessKeyId: "AKIABROWSER000000000", secretAccessKey: randomBytes(20).toString("hex") };
const types = { html: "text/html", js: "text/javascript" };
let folder, postern, s3, browser, pages;

/// Serves the page under an origin of its own.
function serve() {
  const server = createServer(async (request, response) => {
    const name = request.url === "/" ? "index.html" : request.url.slice(1);
    try {
      response.setHeader("content-type", types[name.split(".").pop()] ?? "text/plain");
      response.end(await readFile(join(process.env.PAGE, name)));
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` })));
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "postern-browser-"));
  postern = spawn(process.env.POSTERN, ["serve"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH, POSTERN_ACCESS_KEY_ID: keys.accessKeyId, POSTERN_SECRET_ACCESS_KEY: keys.secretAccessKey,
      POSTERN_BUCKETS: Bucket, POSTERN_SERVER__LISTEN: "127.0.0.1:0", POSTERN_ADMIN__LISTEN: "127.0.0.1:0", POSTERN_LOG__LEVEL: "warn",
    },
  });
  let endpoint;
  for await (const line of createInterface(postern.stdout)) {
    endpoint = line.match(/^postern listens on (\S+)/)?.[1];
    if (endpoint) break;
  }
  s3 = new aws.S3({ endpoint, region: "us-east-1", forcePathStyle: true, credentials: keys });
  pages = [await serve(), await serve()];
  // The first origin may; the second may not.
  const rule = {
    AllowedOrigins: [pages[0].origin], AllowedMethods: ["GET", "PUT", "POST"], AllowedHeaders: ["*"], ExposeHeaders: ["ETag"],
  };
  await s3.putBucketCors({ Bucket, CORSConfiguration: { CORSRules: [rule] } });
  // A container's root has no user namespaces for the sandbox.
  browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
});

after(async () => {
  await browser?.close();
  pages?.forEach(({ server }) => server.close());
  postern?.kill();
  await rm(folder, { recursive: true, force: true });
});

const sign = (Command, more) => getSignedUrl(s3, new Command({ Bucket, ...more }), { expiresIn: 900 });
const stored = async (Key) => Buffer.from(await (await s3.getObject({ Bucket, Key })).Body.transformToByteArray());

async function open(origin = pages[0].origin) {
  const page = await browser.newPage();
  await page.goto(origin);
  return page;
}

async function file(bytes) {
  const path = join(folder, `file-${bytes.length}.bin`);
  await writeFile(path, bytes);
  return path;
}

/// Fills a fieldset, presses its button, and waits for what it says. `progress` is every value that its bar has had.
async function use(page, id, values, path) {
  await page.evaluate((id, values) => {
    const { elements } = document.getElementById(id);
    for (const [name, value] of Object.entries(values)) elements[name].value = value;
    const bar = document.querySelector(`#${id} progress`);
    window.seen = [];
    if (bar) new MutationObserver(() => window.seen.push(bar.value)).observe(bar, { attributes: true });
  }, id, values);
  if (path) await (await page.$(`#${id} input[type=file]`)).uploadFile(path);
  await page.click(`#${id} button`);
  await page.waitForFunction((id) => document.querySelector(`#${id} output`).className, { timeout: 60_000 }, id);
  return page.evaluate((id) => {
    const output = document.querySelector(`#${id} output`);
    return { outcome: output.className, said: output.textContent, progress: window.seen };
  }, id);
}

function risesToOne(progress) {
  assert.equal(progress.at(-1), 1);
  assert(progress.every((value, at) => value >= 0 && value <= 1 && (at === 0 || value >= progress[at - 1])), `${progress}`);
}

test("a file goes up by a presigned PUT, with progress", async () => {
  const body = randomBytes(20 * MIB);
  const page = await open();
  const told = await use(page, "put", { link: await sign(aws.PutObjectCommand, { Key: "by put" }) }, await file(body));
  assert.equal(told.outcome, "done", told.said);
  assert.match(told.said, /^Stored, ETag "[0-9a-f]{32}"$/);
  risesToOne(told.progress);
  assert(body.equals(await stored("by put")));
});

test("a file goes up by a presigned POST, and one that is too large is refused in S3's words", async () => {
  const form = await createPresignedPost(s3, {
    Bucket, Key: "forms/${filename}", Expires: 900, Conditions: [["starts-with", "$key", "forms/"], ["content-length-range", 0, MIB]],
  });
  const body = randomBytes(MIB);
  const page = await open();
  const told = await use(page, "post", { form: JSON.stringify(form) }, await file(body));
  assert.equal(told.outcome, "done", told.said);
  risesToOne(told.progress);
  assert(body.equals(await stored(`forms/file-${MIB}.bin`)));
  const refused = await use(await open(), "post", { form: JSON.stringify(form) }, await file(randomBytes(MIB + 1)));
  assert.deepEqual([refused.outcome, refused.said], ["failed", "EntityTooLarge: Your proposed upload exceeds the maximum allowed size"]);
});

test("a file goes up in parts, with progress over all of them", async () => {
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: "by parts" });
  const part = (PartNumber) => sign(aws.UploadPartCommand, { Key: "by parts", UploadId, PartNumber });
  const links = {
    partSize: 5 * MIB,
    parts: await Promise.all([1, 2, 3, 4].map(part)),
    complete: await sign(aws.CompleteMultipartUploadCommand, { Key: "by parts", UploadId }),
  };
  const body = randomBytes(17 * MIB);
  const page = await open();
  const told = await use(page, "parts", { links: JSON.stringify(links) }, await file(body));
  assert.equal(told.outcome, "done", told.said);
  assert.match(told.said, /^Stored in 4 parts, ETag "[0-9a-f]{32}-4"$/);
  risesToOne(told.progress);
  assert(body.equals(await stored("by parts")));
});

test("a video plays from a presigned link, and seeking asks for a range", async () => {
  await s3.putObject({ Bucket, Key: "video.webm", Body: await readFile("video.webm"), ContentType: "video/webm" });
  const page = await open();
  const answers = [];
  page.on("response", (response) => {
    if (response.url().includes("video.webm")) answers.push([response.status(), response.request().headers().range]);
  });
  const told = await use(page, "play", { link: await sign(aws.GetObjectCommand, { Key: "video.webm" }) });
  assert.equal(told.outcome, "done", told.said);
  assert.equal(told.said, "30.0 s");
  const at = await page.evaluate(async () => {
    const video = document.querySelector("video");
    const seeked = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    video.currentTime = 25;
    await seeked;
    await video.play();
    await new Promise((resolve) => video.addEventListener("timeupdate", resolve, { once: true }));
    return { time: video.currentTime, size: [video.videoWidth, video.videoHeight], paused: video.paused };
  });
  assert(at.time >= 25 && at.time < 30 && !at.paused, JSON.stringify(at));
  assert.deepEqual(at.size, [320, 180]);
  // 304: the browser has these bytes, and asks whether they are still the object's.
  assert(answers.every(([status]) => status === 206 || status === 304), JSON.stringify(answers));
  assert(answers.some(([, range]) => range && !range.startsWith("bytes=0-")), JSON.stringify(answers));
});

test("a page can read why it was refused", async () => {
  const link = await sign(aws.PutObjectCommand, { Key: "never" });
  const page = await open();
  const told = await use(page, "put", { link: link.replace("never", "other") }, await file(randomBytes(10)));
  assert.equal(told.outcome, "failed");
  assert.match(told.said, /^SignatureDoesNotMatch: The request signature we calculated does not match/);
});

test("a page of another origin neither uploads by PUT nor reads an answer", async () => {
  const page = await open(pages[1].origin);
  const told = await use(page, "put", { link: await sign(aws.PutObjectCommand, { Key: "never" }) }, await file(randomBytes(10)));
  assert.deepEqual([told.outcome, told.said.split(":")[0]], ["failed", "No answer that this page may read"]);
  await assert.rejects(s3.headObject({ Bucket, Key: "never" }), { name: "NotFound" });
});
