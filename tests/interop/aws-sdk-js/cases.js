// What the AWS SDK for JavaScript v3 does with a store: one function a case of ../cases.txt.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import * as aws from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const { ENDPOINT, BUCKET: Bucket, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
const MIB = 1024 * 1024;
const STRANGE_KEYS = [
  "plain.txt", "with space and + plus", "ünïcode/日本語.txt", "double//slash", "/leading", "trailing/", "percent%20%2F%",
  "quotes'\"`<>&", "dots/../and/./more", "~=tilde/~@", "k".repeat(1024),
];

function client(secretAccessKey = AWS_SECRET_ACCESS_KEY) {
  return new aws.S3({
    endpoint: ENDPOINT, region: "us-east-1", forcePathStyle: true, maxAttempts: 1,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey },
  });
}

const s3 = client();
const put = (Key, Body = "content", more = {}) => s3.putObject({ Bucket, Key, Body, ...more });
const get = async (Key, more = {}) =>
  Buffer.from(await (await s3.getObject({ Bucket, Key, ...more })).Body.transformToByteArray());
const keys = async (more = {}) => ((await s3.listObjectsV2({ Bucket, ...more })).Contents ?? []).map((found) => found.Key);
const sign = (Command, Key, more = {}) => getSignedUrl(s3, new Command({ Bucket, Key, ...more }), { expiresIn: 900 });

async function fails(code, status, promise) {
  await assert.rejects(promise, (error) => {
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [code, status]);
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
    await put("stream", Readable.from([body]), { ContentLength: body.length });
    assert(body.equals(await get("stream")));
  },

  async head() {
    const body = randomBytes(1000);
    await put("object", body, { ContentType: "text/x-test", Metadata: { one: "1", two: "zwei" } });
    const told = await s3.headObject({ Bucket, Key: "object" });
    const etag = `"${createHash("md5").update(body).digest("hex")}"`;
    assert.deepEqual([told.ContentLength, told.ETag, told.ContentType], [1000, etag, "text/x-test"]);
    assert.deepEqual(told.Metadata, { one: "1", two: "zwei" });
    await fails("NotFound", 404, s3.headObject({ Bucket, Key: "none" }));
  },

  async ranges() {
    const body = randomBytes(1000);
    await put("object", body);
    for (const [Range, expected] of [
      ["bytes=0-9", body.subarray(0, 10)], ["bytes=100-199", body.subarray(100, 200)], ["bytes=-10", body.subarray(990)],
    ]) assert(expected.equals(await get("object", { Range })), Range);
    await fails("InvalidRange", 416, s3.getObject({ Bucket, Key: "object", Range: "bytes=1000-" }));
  },

  async list() {
    const names = ["l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"];
    for (const name of names) await put(name, "");
    const seen = [];
    for await (const page of aws.paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket, Prefix: "l/" })) {
      seen.push(...page.Contents.map((found) => found.Key));
    }
    assert.deepEqual(seen, names);
    const rolled = await s3.listObjectsV2({ Bucket, Prefix: "l/", Delimiter: "/" });
    assert.deepEqual(rolled.CommonPrefixes.map((found) => found.Prefix), ["l/a/"]);
    assert.deepEqual(rolled.Contents.map((found) => found.Key), ["l/a-b", "l/a.b", "l/a0", "l/b"]);
  },

  async copy() {
    await put("from", "content", { ContentType: "text/one", Metadata: { a: "1" } });
    await s3.copyObject({ Bucket, Key: "to", CopySource: `${Bucket}/from` });
    const told = await s3.headObject({ Bucket, Key: "to" });
    assert.deepEqual([told.ContentType, told.Metadata], ["text/one", { a: "1" }]);
    assert.equal((await get("to")).toString(), "content");
    await fails("NoSuchKey", 404, s3.copyObject({ Bucket, Key: "to", CopySource: `${Bucket}/none` }));
  },

  async delete() {
    for (const name of ["d/1", "d/2", "d/3"]) await put(name);
    await s3.deleteObject({ Bucket, Key: "d/1" });
    await fails("NoSuchKey", 404, s3.getObject({ Bucket, Key: "d/1" }));
    const done = await s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key: "d/2" }, { Key: "d/3" }] } });
    assert.equal(done.Deleted.length, 2);
    assert.deepEqual(await keys({ Prefix: "d/" }), []);
  },

  async tags() {
    await put("tagged");
    const TagSet = [{ Key: "project", Value: "blue & green" }, { Key: "empty", Value: "" }];
    await s3.putObjectTagging({ Bucket, Key: "tagged", Tagging: { TagSet } });
    assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: "tagged" })).TagSet, TagSet);
    await s3.deleteObjectTagging({ Bucket, Key: "tagged" });
    assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: "tagged" })).TagSet, []);
  },

  async "conditional-write"() {
    await put("once", "1", { IfNoneMatch: "*" });
    await fails("PreconditionFailed", 412, put("once", "2", { IfNoneMatch: "*" }));
    assert.equal((await get("once")).toString(), "1");
  },

  async checksums() {
    for (const name of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
      const sent = await put("sum", "content", { ChecksumAlgorithm: name });
      const told = await s3.headObject({ Bucket, Key: "sum", ChecksumMode: "ENABLED" });
      assert(sent[`Checksum${name}`], name);
      assert.equal(told[`Checksum${name}`], sent[`Checksum${name}`], name);
    }
    const ChecksumSHA256 = createHash("sha256").update("other").digest("base64");
    await fails("BadDigest", 400, put("never", "content", { ChecksumSHA256 }));
    await fails("NotFound", 404, s3.headObject({ Bucket, Key: "never" }));
  },

  async keys() {
    for (const key of STRANGE_KEYS) {
      await put(key, key);
      assert.equal((await get(key)).toString(), key);
      assert.deepEqual(await keys({ Prefix: key, MaxKeys: 1 }), [key]);
    }
    for (const Key of STRANGE_KEYS) await s3.deleteObject({ Bucket, Key });
    const left = new Set(await keys());
    assert(STRANGE_KEYS.every((key) => !left.has(key)));
  },

  async multipart() {
    const body = randomBytes(100 * MIB);
    await new Upload({ client: s3, params: { Bucket, Key: "large", Body: body }, partSize: 8 * MIB, queueSize: 4 }).done();
    assert((await s3.headObject({ Bucket, Key: "large" })).ETag.endsWith('-13"'));
    assert(body.equals(await get("large")));
    const streamed = new Upload({ client: s3, params: { Bucket, Key: "stream", Body: Readable.from([body.subarray(0, 9 * MIB)]) } });
    await streamed.done();
    assert(body.subarray(0, 9 * MIB).equals(await get("stream")));
  },

  async "multipart-steps"() {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: "steps" });
    const upload = { Bucket, Key: "steps", UploadId };
    const { ETag } = await s3.uploadPart({ ...upload, PartNumber: 1, Body: randomBytes(5 * MIB) });
    const parts = (await s3.listParts(upload)).Parts;
    assert.deepEqual(parts.map((part) => [part.PartNumber, part.Size, part.ETag]), [[1, 5 * MIB, ETag]]);
    const uploads = (await s3.listMultipartUploads({ Bucket })).Uploads;
    assert.deepEqual(uploads.map((found) => [found.Key, found.UploadId]), [["steps", UploadId]]);
    await s3.abortMultipartUpload(upload);
    await fails("NoSuchUpload", 404, s3.listParts(upload));
    assert.equal((await s3.listMultipartUploads({ Bucket })).Uploads, undefined);
  },

  async "multipart-copy"() {
    const body = randomBytes(6 * MIB);
    await put("from", body);
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: "to" });
    const upload = { Bucket, Key: "to", UploadId };
    const CopySource = `${Bucket}/from`;
    const whole = await s3.uploadPartCopy({ ...upload, PartNumber: 1, CopySource });
    const last = await s3.uploadPartCopy({ ...upload, PartNumber: 2, CopySource, CopySourceRange: "bytes=10-19" });
    await complete(upload, [whole.CopyPartResult, last.CopyPartResult]);
    assert(Buffer.concat([body, body.subarray(10, 20)]).equals(await get("to")));
  },

  async "presigned-get"() {
    for (const key of ["plain", "presigned/key +&ü.txt"]) {
      await put(key, "by link");
      const answer = await fetch(await sign(aws.GetObjectCommand, key));
      assert.deepEqual([answer.status, await answer.text()], [200, "by link"]);
    }
  },

  async "presigned-head"() {
    await put("plain", "by link");
    const link = await sign(aws.HeadObjectCommand, "plain");
    const answer = await fetch(link, { method: "HEAD" });
    assert.deepEqual([answer.status, answer.headers.get("content-length")], [200, "7"]);
    assert.equal((await fetch(link)).status, 403);
  },

  async "presigned-put"() {
    const answer = await fetch(await sign(aws.PutObjectCommand, "put"), { method: "PUT", body: "by link" });
    assert.equal(answer.status, 200);
    assert.equal((await get("put")).toString(), "by link");
  },

  async "presigned-delete"() {
    await put("gone");
    assert.equal((await fetch(await sign(aws.DeleteObjectCommand, "gone"), { method: "DELETE" })).status, 204);
    await fails("NotFound", 404, s3.headObject({ Bucket, Key: "gone" }));
  },

  async "presigned-post"() {
    const { url, fields } = await createPresignedPost(s3, {
      Bucket, Key: "forms/${filename}", Expires: 900,
      Conditions: [["content-length-range", 0, 1000], ["starts-with", "$key", "forms/"]],
    });
    const send = (file) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.append(name, value);
      form.append("file", new Blob([file]), "f.bin");
      return fetch(url, { method: "POST", body: form });
    };
    const file = randomBytes(500);
    assert.equal((await send(file)).status, 204);
    assert(file.equals(await get("forms/f.bin")));
    await s3.deleteObject({ Bucket, Key: "forms/f.bin" });
    const large = await send(randomBytes(2000));
    assert.equal(large.status, 400);
    assert.match(await large.text(), /<Code>EntityTooLarge<\/Code>/);
    assert.deepEqual(await keys({ Prefix: "forms/" }), []);
  },

  async "presigned-parts"() {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: "by parts" });
    const upload = { Bucket, Key: "by parts", UploadId };
    const bodies = [randomBytes(5 * MIB), randomBytes(1024)];
    const parts = [];
    for (const [at, body] of bodies.entries()) {
      const link = await sign(aws.UploadPartCommand, "by parts", { UploadId, PartNumber: at + 1 });
      const answer = await fetch(link, { method: "PUT", body });
      assert.equal(answer.status, 200, await answer.text());
      parts.push({ ETag: answer.headers.get("etag") });
    }
    await complete(upload, parts);
    assert(Buffer.concat(bodies).equals(await get("by parts")));
  },

  async "wrong-secret"() {
    const stranger = client("wrong");
    await fails("SignatureDoesNotMatch", 403, stranger.listObjectsV2({ Bucket }));
    await fails("SignatureDoesNotMatch", 403, stranger.putObject({ Bucket, Key: "never", Body: "x" }));
    await fails("NotFound", 404, s3.headObject({ Bucket, Key: "never" }));
  },

  async "tampered-url"() {
    await put("object");
    const link = await sign(aws.GetObjectCommand, "object");
    for (const tampered of [
      link.replace("/object", "/signed"), link.replace("X-Amz-Expires=900", "X-Amz-Expires=901"), `${link}&x=y`,
    ]) {
      const answer = await fetch(tampered);
      assert.equal(answer.status, 403);
      assert.match(await answer.text(), /SignatureDoesNotMatch/);
    }
  },

  async cors() {
    const CORSRules = [{ ID: "one", AllowedOrigins: ["https://a.example"], AllowedMethods: ["GET"], AllowedHeaders: ["*"] }];
    await s3.putBucketCors({ Bucket, CORSConfiguration: { CORSRules } });
    assert.deepEqual((await s3.getBucketCors({ Bucket })).CORSRules, CORSRules);
    await s3.deleteBucketCors({ Bucket });
    await fails("NoSuchCORSConfiguration", 404, s3.getBucketCors({ Bucket }));
  },

  async buckets() {
    assert((await s3.listBuckets({})).Buckets.some((found) => found.Name === Bucket));
    await put("object");
    await fails("BucketNotEmpty", 409, s3.deleteBucket({ Bucket }));
    for (let left = await keys(); left.length > 0; left = await keys()) {
      await s3.deleteObjects({ Bucket, Delete: { Objects: left.map((Key) => ({ Key })) } });
    }
    await s3.deleteBucket({ Bucket });
    await fails("NotFound", 404, s3.headBucket({ Bucket }));
  },
};

function complete(upload, parts) {
  const Parts = parts.map(({ ETag }, at) => ({ ETag, PartNumber: at + 1 }));
  return s3.completeMultipartUpload({ ...upload, MultipartUpload: { Parts } });
}

const { version } = JSON.parse(readFileSync("node_modules/@aws-sdk/client-s3/package.json"));
console.log("version @aws-sdk/client-s3", version);
await s3.createBucket({ Bucket });
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
