// What the AWS SDK for Java v2 does with a store: one method a case of ../cases.txt.

import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.*;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;
import software.amazon.awssdk.transfer.s3.model.UploadRequest;

public final class Cases {
    private static final String BUCKET = System.getenv("BUCKET");
    private static final URI ENDPOINT = URI.create(System.getenv("ENDPOINT"));
    private static final int MIB = 1024 * 1024;
    private static final Duration LIFE = Duration.ofMinutes(15);
    private static final S3Client s3 = client(System.getenv("AWS_SECRET_ACCESS_KEY"));
    private static final S3Presigner signer = S3Presigner.builder()
            .endpointOverride(ENDPOINT).region(Region.US_EAST_1).credentialsProvider(keys(System.getenv("AWS_SECRET_ACCESS_KEY")))
            .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build()).build();
    private static final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private interface Case {
        void run() throws Exception;
    }

    private static StaticCredentialsProvider keys(String secret) {
        return StaticCredentialsProvider.create(AwsBasicCredentials.create(System.getenv("AWS_ACCESS_KEY_ID"), secret));
    }

    private static S3Client client(String secret) {
        return S3Client.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).forcePathStyle(true)
                .httpClient(UrlConnectionHttpClient.create()).credentialsProvider(keys(secret))
                .overrideConfiguration(o -> o.retryStrategy(DefaultRetryStrategy.doNotRetry())).build();
    }

    private static void ensure(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static void same(Object got, Object expected) {
        ensure(Objects.equals(got, expected), "got " + got + ", expected " + expected);
    }

    private static void fails(String code, int status, Case call) throws Exception {
        try {
            call.run();
        } catch (S3Exception error) {
            String told = error.awsErrorDetails() == null ? "" : error.awsErrorDetails().errorCode();
            same(error.statusCode(), status);
            // An answer to HEAD has a status alone.
            ensure(told == null || told.isEmpty() || told.equals(code), "expected " + code + ", got " + told);
            return;
        }
        throw new AssertionError("expected " + code + ", got an answer");
    }

    private static byte[] random(int size) {
        byte[] body = new byte[size];
        new Random().nextBytes(body);
        return body;
    }

    private static PutObjectResponse put(String key, byte[] body) {
        return s3.putObject(r -> r.bucket(BUCKET).key(key), RequestBody.fromBytes(body));
    }

    private static byte[] get(String key) {
        return s3.getObjectAsBytes(r -> r.bucket(BUCKET).key(key)).asByteArray();
    }

    private static HeadObjectResponse head(String key) {
        return s3.headObject(r -> r.bucket(BUCKET).key(key).checksumMode(ChecksumMode.ENABLED));
    }

    private static List<String> keys(String prefix, int page) {
        return s3.listObjectsV2Paginator(r -> r.bucket(BUCKET).prefix(prefix).maxKeys(page)).contents().stream().map(S3Object::key).toList();
    }

    private static HttpResponse<byte[]> fetch(String method, URL link, byte[] body, Map<String, List<String>> headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(link.toURI())
                .method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofByteArray(body));
        headers.forEach((name, values) -> {
            if (!Set.of("host", "content-length").contains(name.toLowerCase())) {
                values.forEach(value -> request.header(name, value));
            }
        });
        return http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    private static HttpResponse<byte[]> fetch(String method, URL link) throws Exception {
        return fetch(method, link, null, Map.of());
    }

    private static void putGet() {
        for (byte[] body : List.of(new byte[0], "some content\n".getBytes(), random(3_000_000))) {
            put("object", body);
            ensure(Arrays.equals(body, get("object")), "other bytes");
        }
    }

    private static void heads() throws Exception {
        byte[] body = random(1000);
        s3.putObject(r -> r.bucket(BUCKET).key("object").contentType("text/x-test").metadata(Map.of("one", "1")), RequestBody.fromBytes(body));
        HeadObjectResponse told = head("object");
        String etag = '"' + HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(body)) + '"';
        same(List.of(told.contentLength(), told.eTag(), told.contentType(), told.metadata().get("one")), List.of(1000L, etag, "text/x-test", "1"));
        fails("NoSuchKey", 404, () -> head("none"));
    }

    private static void ranges() throws Exception {
        byte[] body = random(1000);
        put("object", body);
        Map<String, byte[]> wanted = Map.of("bytes=0-9", Arrays.copyOf(body, 10), "bytes=100-199", Arrays.copyOfRange(body, 100, 200),
                "bytes=-10", Arrays.copyOfRange(body, 990, 1000));
        wanted.forEach((range, expected) -> ensure(
                Arrays.equals(expected, s3.getObjectAsBytes(r -> r.bucket(BUCKET).key("object").range(range)).asByteArray()), range));
        fails("InvalidRange", 416, () -> s3.getObjectAsBytes(r -> r.bucket(BUCKET).key("object").range("bytes=1000-")));
    }

    private static void list() {
        List<String> names = List.of("l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b");
        names.forEach(name -> put(name, new byte[0]));
        same(keys("l/", 2), names);
        ListObjectsV2Response rolled = s3.listObjectsV2(r -> r.bucket(BUCKET).prefix("l/").delimiter("/"));
        same(rolled.commonPrefixes().stream().map(CommonPrefix::prefix).toList(), List.of("l/a/"));
        same(rolled.contents().stream().map(S3Object::key).toList(), List.of("l/a-b", "l/a.b", "l/a0", "l/b"));
    }

    private static void copy() throws Exception {
        s3.putObject(r -> r.bucket(BUCKET).key("from").contentType("text/one"), RequestBody.fromString("content"));
        s3.copyObject(r -> r.sourceBucket(BUCKET).sourceKey("from").destinationBucket(BUCKET).destinationKey("to"));
        same(new String(get("to")), "content");
        same(head("to").contentType(), "text/one");
        fails("NoSuchKey", 404, () -> s3.copyObject(r -> r.sourceBucket(BUCKET).sourceKey("none").destinationBucket(BUCKET).destinationKey("to")));
    }

    private static void remove(List<String> names) {
        List<ObjectIdentifier> objects = names.stream().map(name -> ObjectIdentifier.builder().key(name).build()).toList();
        same(s3.deleteObjects(r -> r.bucket(BUCKET).delete(d -> d.objects(objects))).errors().size(), 0);
    }

    private static void delete() throws Exception {
        List.of("d/1", "d/2", "d/3").forEach(name -> put(name, new byte[0]));
        s3.deleteObject(r -> r.bucket(BUCKET).key("d/1"));
        fails("NoSuchKey", 404, () -> get("d/1"));
        remove(List.of("d/2", "d/3"));
        same(keys("d/", 100), List.of());
    }

    private static void tags() {
        put("tagged", new byte[0]);
        Tag tag = Tag.builder().key("project").value("blue & green").build();
        s3.putObjectTagging(r -> r.bucket(BUCKET).key("tagged").tagging(t -> t.tagSet(tag)));
        same(s3.getObjectTagging(r -> r.bucket(BUCKET).key("tagged")).tagSet(), List.of(tag));
        s3.deleteObjectTagging(r -> r.bucket(BUCKET).key("tagged"));
        same(s3.getObjectTagging(r -> r.bucket(BUCKET).key("tagged")).tagSet(), List.of());
    }

    private static void conditionalWrite() throws Exception {
        s3.putObject(r -> r.bucket(BUCKET).key("once").ifNoneMatch("*"), RequestBody.fromString("1"));
        fails("PreconditionFailed", 412, () -> s3.putObject(r -> r.bucket(BUCKET).key("once").ifNoneMatch("*"), RequestBody.fromString("2")));
        same(new String(get("once")), "1");
    }

    private static void checksums() throws Exception {
        for (ChecksumAlgorithm algorithm : List.of(ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32_C, ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256)) {
            PutObjectResponse sent = s3.putObject(r -> r.bucket(BUCKET).key("sum").checksumAlgorithm(algorithm), RequestBody.fromString("content"));
            HeadObjectResponse told = head("sum");
            same(Arrays.asList(told.checksumCRC32(), told.checksumCRC32C(), told.checksumSHA1(), told.checksumSHA256()),
                    Arrays.asList(sent.checksumCRC32(), sent.checksumCRC32C(), sent.checksumSHA1(), sent.checksumSHA256()));
        }
        ensure(head("sum").checksumSHA256() != null, "no checksum");
        String wrong = Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-256").digest("other".getBytes()));
        fails("BadDigest", 400, () -> s3.putObject(r -> r.bucket(BUCKET).key("never").checksumSHA256(wrong), RequestBody.fromString("content")));
        fails("NoSuchKey", 404, () -> head("never"));
    }

    private static void strangeKeys() {
        List<String> strange = List.of("plain.txt", "with space and + plus", "ünïcode/日本語.txt", "double//slash", "/leading", "trailing/",
                "percent%20%2F%", "quotes'\"`<>&", "dots/../and/./more", "~=tilde/~@", "k".repeat(1024));
        for (String key : strange) {
            put(key, key.getBytes());
            same(new String(get(key)), key);
            same(keys(key, 1).get(0), key);
        }
        strange.forEach(key -> s3.deleteObject(r -> r.bucket(BUCKET).key(key)));
        List<String> left = keys("", 1000);
        ensure(strange.stream().noneMatch(left::contains), "not removed");
    }

    private static void multipart() {
        byte[] body = random(100 * MIB);
        try (S3AsyncClient client = S3AsyncClient.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).forcePathStyle(true)
                        .credentialsProvider(keys(System.getenv("AWS_SECRET_ACCESS_KEY"))).multipartEnabled(true)
                        .multipartConfiguration(c -> c.minimumPartSizeInBytes(8L * MIB).thresholdInBytes(8L * MIB)).build();
                S3TransferManager manager = S3TransferManager.builder().s3Client(client).build()) {
            manager.upload(UploadRequest.builder().requestBody(AsyncRequestBody.fromBytes(body))
                    .putObjectRequest(r -> r.bucket(BUCKET).key("large")).build()).completionFuture().join();
            ensure(head("large").eTag().endsWith("-13\""), head("large").eTag());
            byte[] back = client.getObject(r -> r.bucket(BUCKET).key("large"), AsyncResponseTransformer.toBytes()).join().asByteArray();
            ensure(Arrays.equals(body, back), "other bytes");
        }
    }

    private static String begin(String key) {
        return s3.createMultipartUpload(r -> r.bucket(BUCKET).key(key)).uploadId();
    }

    private static void complete(String key, String id, List<String> etags) {
        List<CompletedPart> parts = new ArrayList<>();
        etags.forEach(etag -> parts.add(CompletedPart.builder().partNumber(parts.size() + 1).eTag(etag).build()));
        s3.completeMultipartUpload(r -> r.bucket(BUCKET).key(key).uploadId(id).multipartUpload(m -> m.parts(parts)));
    }

    private static void multipartSteps() throws Exception {
        String id = begin("steps");
        String etag = s3.uploadPart(r -> r.bucket(BUCKET).key("steps").uploadId(id).partNumber(1), RequestBody.fromBytes(random(5 * MIB))).eTag();
        Part part = s3.listParts(r -> r.bucket(BUCKET).key("steps").uploadId(id)).parts().get(0);
        same(List.of(part.partNumber(), part.size(), part.eTag()), List.of(1, 5L * MIB, etag));
        MultipartUpload upload = s3.listMultipartUploads(r -> r.bucket(BUCKET)).uploads().get(0);
        same(List.of(upload.key(), upload.uploadId()), List.of("steps", id));
        s3.abortMultipartUpload(r -> r.bucket(BUCKET).key("steps").uploadId(id));
        fails("NoSuchUpload", 404, () -> s3.listParts(r -> r.bucket(BUCKET).key("steps").uploadId(id)));
        same(s3.listMultipartUploads(r -> r.bucket(BUCKET)).uploads(), List.of());
    }

    private static void multipartCopy() {
        byte[] body = random(6 * MIB);
        put("from", body);
        String id = begin("to");
        List<String> etags = new ArrayList<>();
        for (String range : new String[] {null, "bytes=10-19"}) {
            etags.add(s3.uploadPartCopy(r -> r.sourceBucket(BUCKET).sourceKey("from").copySourceRange(range).destinationBucket(BUCKET)
                    .destinationKey("to").uploadId(id).partNumber(etags.size() + 1)).copyPartResult().eTag());
        }
        complete("to", id, etags);
        byte[] expected = Arrays.copyOf(body, 6 * MIB + 10);
        System.arraycopy(body, 10, expected, 6 * MIB, 10);
        ensure(Arrays.equals(expected, get("to")), "other bytes");
    }

    private static URL linkToGet(String key) {
        return signer.presignGetObject(p -> p.signatureDuration(LIFE).getObjectRequest(r -> r.bucket(BUCKET).key(key))).url();
    }

    private static void presignedGet() throws Exception {
        for (String key : List.of("plain", "presigned/key +&ü.txt")) {
            put(key, "by link".getBytes());
            HttpResponse<byte[]> answer = fetch("GET", linkToGet(key));
            same(answer.statusCode() + " " + new String(answer.body()), "200 by link");
        }
    }

    private static void presignedHead() throws Exception {
        put("plain", "by link".getBytes());
        URL link = signer.presignHeadObject(p -> p.signatureDuration(LIFE).headObjectRequest(r -> r.bucket(BUCKET).key("plain"))).url();
        HttpResponse<byte[]> answer = fetch("HEAD", link);
        same(answer.statusCode() + " " + answer.headers().firstValue("content-length").orElse(""), "200 7");
        same(fetch("GET", link).statusCode(), 403);
    }

    private static void presignedPut() throws Exception {
        var link = signer.presignPutObject(p -> p.signatureDuration(LIFE).putObjectRequest(r -> r.bucket(BUCKET).key("put")));
        same(fetch("PUT", link.url(), "by link".getBytes(), link.signedHeaders()).statusCode(), 200);
        same(new String(get("put")), "by link");
    }

    private static void presignedDelete() throws Exception {
        put("gone", new byte[0]);
        var link = signer.presignDeleteObject(p -> p.signatureDuration(LIFE).deleteObjectRequest(r -> r.bucket(BUCKET).key("gone")));
        same(fetch("DELETE", link.url()).statusCode(), 204);
        fails("NoSuchKey", 404, () -> head("gone"));
    }

    private static void presignedParts() throws Exception {
        String id = begin("by parts");
        List<byte[]> bodies = List.of(random(5 * MIB), random(1024));
        List<String> etags = new ArrayList<>();
        for (byte[] body : bodies) {
            var link = signer.presignUploadPart(p -> p.signatureDuration(LIFE)
                    .uploadPartRequest(r -> r.bucket(BUCKET).key("by parts").uploadId(id).partNumber(etags.size() + 1)));
            HttpResponse<byte[]> answer = fetch("PUT", link.url(), body, link.signedHeaders());
            same(answer.statusCode(), 200);
            etags.add(answer.headers().firstValue("etag").orElse(""));
        }
        complete("by parts", id, etags);
        byte[] expected = Arrays.copyOf(bodies.get(0), 5 * MIB + 1024);
        System.arraycopy(bodies.get(1), 0, expected, 5 * MIB, 1024);
        ensure(Arrays.equals(expected, get("by parts")), "other bytes");
    }

    private static void wrongSecret() throws Exception {
        S3Client stranger = client("wrong");
        fails("SignatureDoesNotMatch", 403, () -> stranger.listObjectsV2(r -> r.bucket(BUCKET)));
        fails("SignatureDoesNotMatch", 403, () -> stranger.putObject(r -> r.bucket(BUCKET).key("never"), RequestBody.fromString("x")));
        fails("NoSuchKey", 404, () -> head("never"));
    }

    private static void tamperedUrl() throws Exception {
        put("object", new byte[0]);
        String link = linkToGet("object").toString();
        for (String tampered : List.of(link.replace("/object", "/signed"), link.replace("X-Amz-Expires=900", "X-Amz-Expires=901"), link + "&x=y")) {
            HttpResponse<byte[]> answer = fetch("GET", new URL(tampered));
            same(answer.statusCode(), 403);
            ensure(new String(answer.body()).contains("SignatureDoesNotMatch"), new String(answer.body()));
        }
    }

    private static void cors() throws Exception {
        CORSRule rule = CORSRule.builder().allowedOrigins("https://a.example").allowedMethods("GET").build();
        s3.putBucketCors(r -> r.bucket(BUCKET).corsConfiguration(c -> c.corsRules(rule)));
        same(s3.getBucketCors(r -> r.bucket(BUCKET)).corsRules().get(0).allowedOrigins(), List.of("https://a.example"));
        s3.deleteBucketCors(r -> r.bucket(BUCKET));
        fails("NoSuchCORSConfiguration", 404, () -> s3.getBucketCors(r -> r.bucket(BUCKET)));
    }

    private static void buckets() throws Exception {
        ensure(s3.listBuckets().buckets().stream().anyMatch(found -> found.name().equals(BUCKET)), "not listed");
        put("object", new byte[0]);
        fails("BucketNotEmpty", 409, () -> s3.deleteBucket(r -> r.bucket(BUCKET)));
        remove(keys("", 1000));
        s3.deleteBucket(r -> r.bucket(BUCKET));
        fails("NoSuchBucket", 404, () -> s3.headBucket(r -> r.bucket(BUCKET)));
    }

    public static void main(String[] arguments) {
        System.out.println("version software.amazon.awssdk:s3 " + VersionInfo.SDK_VERSION);
        s3.createBucket(r -> r.bucket(BUCKET));
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("put-get", Cases::putGet);
        cases.put("head", Cases::heads);
        cases.put("ranges", Cases::ranges);
        cases.put("list", Cases::list);
        cases.put("copy", Cases::copy);
        cases.put("delete", Cases::delete);
        cases.put("tags", Cases::tags);
        cases.put("conditional-write", Cases::conditionalWrite);
        cases.put("checksums", Cases::checksums);
        cases.put("keys", Cases::strangeKeys);
        cases.put("multipart", Cases::multipart);
        cases.put("multipart-steps", Cases::multipartSteps);
        cases.put("multipart-copy", Cases::multipartCopy);
        cases.put("presigned-get", Cases::presignedGet);
        cases.put("presigned-head", Cases::presignedHead);
        cases.put("presigned-put", Cases::presignedPut);
        cases.put("presigned-delete", Cases::presignedDelete);
        cases.put("presigned-parts", Cases::presignedParts);
        cases.put("wrong-secret", Cases::wrongSecret);
        cases.put("tampered-url", Cases::tamperedUrl);
        cases.put("cors", Cases::cors);
        cases.put("buckets", Cases::buckets);
        System.out.println("n/a presigned-post: the AWS SDK for Java v2 does not sign forms");
        boolean failed = false;
        for (Map.Entry<String, Case> one : cases.entrySet()) {
            try {
                one.getValue().run();
                System.out.println("ok " + one.getKey());
            } catch (Exception | AssertionError error) {
                failed = true;
                String told = String.valueOf(error).replaceAll("\\s+", " ");
                System.out.println("not ok " + one.getKey() + ": " + told.substring(0, Math.min(250, told.length())));
            }
        }
        System.exit(failed ? 1 : 0);
    }
}
