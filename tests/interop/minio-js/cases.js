// What minio-js does with a store: one function a case of ../cases.txt.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { Client, CopyConditions, CopyDestinationOptions, CopySourceOptions, PostPolicy } from "minio";

const { ENDPOINT, BUCKET, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
const MIB = 1024 * 1024;
const STRANGE_KEYS = [
  "plain.txt", "with space and + plus", "ünïcode/日本語.txt", "double//slash", "/leading", "trailing/", "percent%20%2F%",
  "quotes'\"`<>&", "~=tilde/~@", "k".repeat(1024),
];

function client(secretKey = AWS_SECRET_ACCESS_KEY) {
  const { hostname, port } = new URL(ENDPOINT);
  return new Client({
    endPoint: hostname, port: Number(port), useSSL: false, accessKey: AWS_ACCESS_KEY_ID, secretKey,
    region: "us-east-1", pathStyle: true, partSize: 8 * MIB,
  });
}

const s3 = client();
const put = (key, body = "content", metadata = {}) => s3.putObject(BUCKET, key, body, undefined, metadata);

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

function* pieces(body) {
  for (let at = 0; at < body.length; at += MIB) yield body.subarray(at, at + MIB);
}

const get = async (key) => read(await s3.getObject(BUCKET, key));

async function list(prefix, recursive = true) {
  const found = [];
  for await (const entry of s3.listObjectsV2(BUCKET, prefix, recursive)) found.push(entry);
  return found;
}

const keys = async (prefix = "") => (await list(prefix)).map((entry) => entry.name);

async function fails(code, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code);
    return true;
  });
}

const cases = {
  async "put-get"() {
    for (const body of [Buffer.alloc(0), Buffer.from("some content\n"), randomBytes(3_000_000)]) {
      await put("object", body);
      assert(body.equals(await get("object")));
    }
    const body = randomBytes(200_000);
    await put("stream", Readable.from([body]));
    assert(body.equals(await get("stream")));
  },

  async head() {
    const body = randomBytes(1000);
    await put("object", body, { "Content-Type": "text/x-test", "X-Amz-Meta-One": "1" });
    const told = await s3.statObject(BUCKET, "object");
    assert.deepEqual([told.size, told.etag], [1000, createHash("md5").update(body).digest("hex")]);
    assert.deepEqual([told.metaData["content-type"], told.metaData.one], ["text/x-test", "1"]);
    await fails("NotFound", s3.statObject(BUCKET, "none"));
  },

  async ranges() {
    const body = randomBytes(1000);
    await put("object", body);
    for (const [offset, length] of [[0, 10], [100, 100], [990, 10]]) {
      const part = await read(await s3.getPartialObject(BUCKET, "object", offset, length));
      assert(body.subarray(offset, offset + length).equals(part));
    }
    await fails("InvalidRange", s3.getPartialObject(BUCKET, "object", 1000, 1));
  },

  async list() {
    const names = ["l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"];
    for (const name of names) await put(name, "");
    assert.deepEqual(await keys("l/"), names);
    const rolled = await list("l/", false);
    assert.deepEqual(rolled.filter((entry) => entry.prefix).map((entry) => entry.prefix), ["l/a/"]);
    assert.deepEqual(rolled.filter((entry) => entry.name).map((entry) => entry.name), ["l/a-b", "l/a.b", "l/a0", "l/b"]);
    const seen = [];
    for (let token = "", more = true; more; ) {
      const page = await s3.listObjectsV2Query(BUCKET, "l/", token, "", 2, "");
      seen.push(...page.objects.map((entry) => entry.name));
      token = page.nextContinuationToken;
      more = page.isTruncated;
    }
    assert.deepEqual(seen, names);
  },

  async copy() {
    await put("from", "content", { "Content-Type": "text/one" });
    await s3.copyObject(BUCKET, "to", `/${BUCKET}/from`, new CopyConditions());
    assert.equal((await get("to")).toString(), "content");
    assert.equal((await s3.statObject(BUCKET, "to")).metaData["content-type"], "text/one");
    await fails("NoSuchKey", s3.copyObject(BUCKET, "to", `/${BUCKET}/none`, new CopyConditions()));
  },

  async delete() {
    for (const name of ["d/1", "d/2", "d/3"]) await put(name);
    await s3.removeObject(BUCKET, "d/1");
    await fails("NoSuchKey", s3.getObject(BUCKET, "d/1"));
    await s3.removeObjects(BUCKET, ["d/2", "d/3"]);
    assert.deepEqual(await keys("d/"), []);
  },

  async tags() {
    await put("tagged");
    await s3.setObjectTagging(BUCKET, "tagged", { project: "blue & green" });
    assert.deepEqual(await s3.getObjectTagging(BUCKET, "tagged"), [{ Key: "project", Value: "blue & green" }]);
    await s3.removeObjectTagging(BUCKET, "tagged");
    assert.deepEqual((await s3.getObjectTagging(BUCKET, "tagged")) ?? [], []);
  },

  async "conditional-write"() {
    await put("once", "1", { "If-None-Match": "*" });
    await fails("PreconditionFailed", put("once", "2", { "If-None-Match": "*" }));
    assert.equal((await get("once")).toString(), "1");
  },

  async keys() {
    for (const key of STRANGE_KEYS) {
      await put(key, key);
      assert.equal((await get(key)).toString(), key);
      assert((await keys(key)).includes(key), key);
    }
    for (const key of STRANGE_KEYS) await s3.removeObject(BUCKET, key);
    const left = new Set(await keys());
    assert(STRANGE_KEYS.every((key) => !left.has(key)));
  },

  async multipart() {
    const body = randomBytes(100 * MIB);
    // In pieces: a buffer as a whole becomes one part.
    await put("large", Readable.from(pieces(body)));
    assert.match((await s3.statObject(BUCKET, "large")).etag, /-13$/);
    assert(body.equals(await get("large")));
  },

  async "multipart-steps"() {
    const uploadId = await s3.initiateNewMultipartUpload(BUCKET, "steps", {});
    const body = randomBytes(5 * MIB);
    const { etag } = await s3.uploadPart({ bucketName: BUCKET, objectName: "steps", uploadID: uploadId, partNumber: 1, headers: {} }, body);
    const parts = await s3.listParts(BUCKET, "steps", uploadId);
    assert.deepEqual(parts.map((found) => [found.part, found.size, found.etag]), [[1, 5 * MIB, etag]]);
    assert.equal(await s3.findUploadId(BUCKET, "steps"), uploadId);
    await s3.removeIncompleteUpload(BUCKET, "steps");
    await fails("NoSuchUpload", s3.listParts(BUCKET, "steps", uploadId));
    assert.equal(await s3.findUploadId(BUCKET, "steps"), undefined);
  },

  async "multipart-copy"() {
    const body = randomBytes(6 * MIB);
    await put("from", body);
    await s3.composeObject(new CopyDestinationOptions({ Bucket: BUCKET, Object: "to" }), [
      new CopySourceOptions({ Bucket: BUCKET, Object: "from" }),
      // From 0: this client takes any other start for none.
      new CopySourceOptions({ Bucket: BUCKET, Object: "from", MatchRange: true, Start: 0, End: 9 }),
    ]);
    assert(Buffer.concat([body, body.subarray(0, 10)]).equals(await get("to")));
  },

  async "presigned-get"() {
    for (const key of ["plain", "presigned/key +&ü.txt"]) {
      await put(key, "by link");
      const answer = await fetch(await s3.presignedGetObject(BUCKET, key, 900));
      assert.deepEqual([answer.status, await answer.text()], [200, "by link"]);
    }
  },

  async "presigned-head"() {
    await put("plain", "by link");
    const link = await s3.presignedUrl("HEAD", BUCKET, "plain", 900);
    const answer = await fetch(link, { method: "HEAD" });
    assert.deepEqual([answer.status, answer.headers.get("content-length")], [200, "7"]);
    assert.equal((await fetch(link)).status, 403);
  },

  async "presigned-put"() {
    const answer = await fetch(await s3.presignedPutObject(BUCKET, "put", 900), { method: "PUT", body: "by link" });
    assert.equal(answer.status, 200);
    assert.equal((await get("put")).toString(), "by link");
  },

  async "presigned-delete"() {
    await put("gone");
    const link = await s3.presignedUrl("DELETE", BUCKET, "gone", 900);
    assert.equal((await fetch(link, { method: "DELETE" })).status, 204);
    await fails("NotFound", s3.statObject(BUCKET, "gone"));
  },

  async "presigned-post"() {
    const policy = new PostPolicy();
    policy.setBucket(BUCKET);
    policy.setKeyStartsWith("forms/");
    policy.setContentLengthRange(1, 1000);
    policy.setExpires(new Date(Date.now() + 900_000));
    const { postURL, formData } = await s3.presignedPostPolicy(policy);
    const send = (file) => {
      const form = new FormData();
      for (const [name, value] of Object.entries({ ...formData, key: "forms/f.bin" })) form.append(name, value);
      form.append("file", new Blob([file]), "f.bin");
      return fetch(postURL, { method: "POST", body: form });
    };
    const file = randomBytes(500);
    assert.equal((await send(file)).status, 204);
    assert(file.equals(await get("forms/f.bin")));
    await s3.removeObject(BUCKET, "forms/f.bin");
    const large = await send(randomBytes(2000));
    assert.equal(large.status, 400);
    assert.match(await large.text(), /<Code>EntityTooLarge<\/Code>/);
    assert.deepEqual(await keys("forms/"), []);
  },

  async "presigned-parts"() {
    const uploadId = await s3.initiateNewMultipartUpload(BUCKET, "by parts", {});
    const bodies = [randomBytes(5 * MIB), randomBytes(1024)];
    const etags = [];
    for (const [at, body] of bodies.entries()) {
      const link = await s3.presignedUrl("PUT", BUCKET, "by parts", 900, { uploadId, partNumber: String(at + 1) });
      const answer = await fetch(link, { method: "PUT", body });
      assert.equal(answer.status, 200, await answer.text());
      etags.push({ part: at + 1, etag: answer.headers.get("etag") });
    }
    await s3.completeMultipartUpload(BUCKET, "by parts", uploadId, etags);
    assert(Buffer.concat(bodies).equals(await get("by parts")));
  },

  async "wrong-secret"() {
    const stranger = client("wrong");
    await fails("SignatureDoesNotMatch", stranger.listObjectsV2Query(BUCKET, "", "", "", 2, ""));
    await fails("SignatureDoesNotMatch", stranger.putObject(BUCKET, "never", "x"));
    await fails("NotFound", s3.statObject(BUCKET, "never"));
  },

  async "tampered-url"() {
    await put("object");
    const link = await s3.presignedGetObject(BUCKET, "object", 900);
    for (const tampered of [
      link.replace("/object", "/signed"), link.replace("X-Amz-Expires=900", "X-Amz-Expires=901"), `${link}&x=y`,
    ]) {
      const answer = await fetch(tampered);
      assert.equal(answer.status, 403);
      assert.match(await answer.text(), /SignatureDoesNotMatch/);
    }
  },

  async buckets() {
    assert((await s3.listBuckets()).some((found) => found.name === BUCKET));
    await put("object");
    await fails("BucketNotEmpty", s3.removeBucket(BUCKET));
    await s3.removeObjects(BUCKET, await keys());
    await s3.removeBucket(BUCKET);
    assert.equal(await s3.bucketExists(BUCKET), false);
  },
};

const missing = {
  checksums: "minio-js 8 has no option to send or read x-amz-checksum-* of an object",
  cors: "minio-js 8 has no call for a bucket's CORS rules",
};

const { version } = JSON.parse(readFileSync("node_modules/minio/package.json"));
console.log("version minio (npm)", version);
await s3.makeBucket(BUCKET, "us-east-1");
console.log("note keys: dots/../and/./more is left out: the client refuses it before it asks");
console.log("note multipart-copy: only a range that begins at 0: the client takes any other start for none");
for (const [name, why] of Object.entries(missing)) console.log(`n/a ${name}: ${why}`);
let failed = false;
for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    console.log("ok", name);
  } catch (error) {
    failed = true;
    console.log(`not ok ${name}: ${error.name}: ${String(error.message).replace(/\s+/g, " ").slice(0, 250)}`);
  }
}
process.exit(failed ? 1 : 0);
