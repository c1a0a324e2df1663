// What minio-go does with a store: one function a case of ../cases.txt.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/cors"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"
)

const (
	mib  = 1024 * 1024
	life = 15 * time.Minute
)

var (
	ctx    = context.Background()
	bucket = os.Getenv("BUCKET")
	client = connect(os.Getenv("AWS_SECRET_ACCESS_KEY"))
	core   = minio.Core{Client: client}
)

func connect(secret string) *minio.Client {
	return must(minio.New(strings.TrimPrefix(os.Getenv("ENDPOINT"), "http://"), &minio.Options{
		Creds:        credentials.NewStaticV4(os.Getenv("AWS_ACCESS_KEY_ID"), secret, ""),
		Region:       "us-east-1",
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1,
		// Checksums travel in trailers.
		TrailingHeaders: true,
	}))
}

// must stops the case at an error; ensure stops it where something does not hold.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ensure(holds bool, what ...any) {
	if !holds {
		panic(fmt.Sprint(what...))
	}
}

func same(got, expected any) {
	ensure(reflect.DeepEqual(got, expected), "got ", got, ", expected ", expected)
}

func done(err error) { ensure(err == nil, err) }

func fails(code string, err error) { same(minio.ToErrorResponse(err).Code, code) }

func random(size int) []byte {
	body := make([]byte, size)
	_, _ = rand.Read(body)
	return body
}

func putWith(key string, body []byte, options minio.PutObjectOptions) (minio.UploadInfo, error) {
	return client.PutObject(ctx, bucket, key, bytes.NewReader(body), int64(len(body)), options)
}

func put(key string, body []byte) minio.UploadInfo {
	return must(putWith(key, body, minio.PutObjectOptions{}))
}

func getWith(key string, options minio.GetObjectOptions) ([]byte, error) {
	found, err := client.GetObject(ctx, bucket, key, options)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	return io.ReadAll(found)
}

func get(key string) []byte { return must(getWith(key, minio.GetObjectOptions{})) }

func stat(key string) (minio.ObjectInfo, error) {
	return client.StatObject(ctx, bucket, key, minio.StatObjectOptions{Checksum: true})
}

func list(options minio.ListObjectsOptions) []string {
	found := []string{}
	for entry := range client.ListObjects(ctx, bucket, options) {
		done(entry.Err)
		found = append(found, entry.Key)
	}
	return found
}

func keys(prefix string) []string {
	return list(minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: 2})
}

func remove(names ...string) {
	objects := make(chan minio.ObjectInfo, len(names))
	for _, name := range names {
		objects <- minio.ObjectInfo{Key: name}
	}
	close(objects)
	for failure := range client.RemoveObjects(ctx, bucket, objects, minio.RemoveObjectsOptions{}) {
		panic(failure.Err)
	}
}

// fetch follows a link with plain HTTP.
func fetch(method, link string, body []byte, headers http.Header) (int, []byte, http.Header) {
	request := must(http.NewRequest(method, link, bytes.NewReader(body)))
	if headers != nil {
		request.Header = headers
	}
	answer := must(http.DefaultClient.Do(request))
	defer answer.Body.Close()
	return answer.StatusCode, must(io.ReadAll(answer.Body)), answer.Header
}

func sign(method, key string, parameters url.Values) string {
	return must(client.Presign(ctx, method, bucket, key, life, parameters)).String()
}

func putGet() {
	for _, body := range [][]byte{{}, []byte("some content\n"), random(3_000_000)} {
		put("object", body)
		ensure(bytes.Equal(body, get("object")), "other bytes")
	}
	body := random(200_000)
	must(client.PutObject(ctx, bucket, "stream", bytes.NewReader(body), -1, minio.PutObjectOptions{PartSize: 5 * mib}))
	ensure(bytes.Equal(body, get("stream")), "other bytes of a stream")
}

func head() {
	body := random(1000)
	must(putWith("object", body, minio.PutObjectOptions{ContentType: "text/x-test", UserMetadata: map[string]string{"One": "1"}}))
	told := must(stat("object"))
	sum := md5.Sum(body)
	same([]any{told.Size, told.ETag, told.ContentType, told.UserMetadata["One"]},
		[]any{int64(1000), hex.EncodeToString(sum[:]), "text/x-test", "1"})
	_, err := stat("none")
	fails("NoSuchKey", err)
}

func ranges() {
	body := random(1000)
	put("object", body)
	for _, ends := range [][2]int64{{0, 9}, {100, 199}} {
		options := minio.GetObjectOptions{}
		done(options.SetRange(ends[0], ends[1]))
		part, _, _, err := core.GetObject(ctx, bucket, "object", options)
		done(err)
		ensure(bytes.Equal(must(io.ReadAll(part)), body[ends[0]:ends[1]+1]), ends)
	}
	options := minio.GetObjectOptions{}
	done(options.SetRange(0, -10))
	part, _, _, err := core.GetObject(ctx, bucket, "object", options)
	done(err)
	ensure(bytes.Equal(must(io.ReadAll(part)), body[990:]), "the last ten")
}

func lists() {
	names := []string{"l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"}
	for _, name := range names {
		put(name, nil)
	}
	same(keys("l/"), names)
	rolled := list(minio.ListObjectsOptions{Prefix: "l/", UseV1: true})
	ensure(len(rolled) == 5, rolled)
	found := map[string]bool{}
	for _, name := range rolled {
		found[name] = true
	}
	ensure(found["l/a/"] && found["l/a-b"] && !found["l/a/1"], rolled)
}

func copies() {
	must(putWith("from", []byte("content"), minio.PutObjectOptions{ContentType: "text/one"}))
	to := minio.CopyDestOptions{Bucket: bucket, Object: "to"}
	must(client.CopyObject(ctx, to, minio.CopySrcOptions{Bucket: bucket, Object: "from"}))
	same(string(get("to")), "content")
	same(must(stat("to")).ContentType, "text/one")
	_, err := client.CopyObject(ctx, to, minio.CopySrcOptions{Bucket: bucket, Object: "none"})
	fails("NoSuchKey", err)
}

func deletes() {
	for _, name := range []string{"d/1", "d/2", "d/3"} {
		put(name, nil)
	}
	done(client.RemoveObject(ctx, bucket, "d/1", minio.RemoveObjectOptions{}))
	_, err := getWith("d/1", minio.GetObjectOptions{})
	fails("NoSuchKey", err)
	remove("d/2", "d/3")
	same(keys("d/"), []string{})
}

func tagging() {
	put("tagged", nil)
	set := must(tags.NewTags(map[string]string{"project": "blue and green"}, true))
	done(client.PutObjectTagging(ctx, bucket, "tagged", set, minio.PutObjectTaggingOptions{}))
	read := func() map[string]string {
		return must(client.GetObjectTagging(ctx, bucket, "tagged", minio.GetObjectTaggingOptions{})).ToMap()
	}
	same(read(), map[string]string{"project": "blue and green"})
	done(client.RemoveObjectTagging(ctx, bucket, "tagged", minio.RemoveObjectTaggingOptions{}))
	same(len(read()), 0)
}

func conditionalWrite() {
	options := minio.PutObjectOptions{}
	options.SetMatchETagExcept("*")
	must(putWith("once", []byte("1"), options))
	_, err := putWith("once", []byte("2"), options)
	fails("PreconditionFailed", err)
	same(string(get("once")), "1")
}

func checksums() {
	for _, kind := range []minio.ChecksumType{
		minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256,
	} {
		// In a trailer.
		must(putWith("sum", []byte("content"), minio.PutObjectOptions{Checksum: kind}))
		told := must(stat("sum"))
		given := map[string]string{
			"CRC32": told.ChecksumCRC32, "CRC32C": told.ChecksumCRC32C, "CRC64NVME": told.ChecksumCRC64NVME,
			"SHA1": told.ChecksumSHA1, "SHA256": told.ChecksumSHA256,
		}
		same(given[kind.String()], kind.ChecksumBytes([]byte("content")).Encoded())
	}
	wrong := md5.Sum([]byte("other"))
	_, err := core.PutObject(ctx, bucket, "never", strings.NewReader("content"), 7, base64.StdEncoding.EncodeToString(wrong[:]), "", minio.PutObjectOptions{})
	fails("BadDigest", err)
	_, err = stat("never")
	fails("NoSuchKey", err)
}

func strangeKeys() {
	strange := []string{
		"plain.txt", "with space and + plus", "ünïcode/日本語.txt", "double//slash", "/leading", "trailing/", "percent%20%2F%",
		"quotes'\"`<>&", "dots/../and/./more", "~=tilde/~@", strings.Repeat("k", 1024),
	}
	for _, key := range strange {
		put(key, []byte(key))
		same(string(get(key)), key)
		same(keys(key)[0], key)
	}
	remove(strange...)
	for _, left := range keys("") {
		for _, key := range strange {
			ensure(left != key, "not removed: ", key)
		}
	}
}

func multiparts() {
	body := random(100 * mib)
	must(putWith("large", body, minio.PutObjectOptions{PartSize: 8 * mib, NumThreads: 3}))
	ensure(strings.HasSuffix(must(stat("large")).ETag, "-13"), "not 13 parts")
	ensure(bytes.Equal(get("large"), body), "other bytes")
}

func begin(key string) string {
	return must(core.NewMultipartUpload(ctx, bucket, key, minio.PutObjectOptions{}))
}

func multipartSteps() {
	id, body := begin("steps"), random(5*mib)
	sent := must(core.PutObjectPart(ctx, bucket, "steps", id, 1, bytes.NewReader(body), 5*mib, minio.PutObjectPartOptions{}))
	parts := func() (minio.ListObjectPartsResult, error) {
		return core.ListObjectParts(ctx, bucket, "steps", id, 0, 100)
	}
	part := must(parts()).ObjectParts[0]
	same([]any{part.PartNumber, part.Size, strings.Trim(part.ETag, `"`)}, []any{1, int64(5 * mib), strings.Trim(sent.ETag, `"`)})
	uploads := func() []minio.ObjectMultipartInfo {
		return must(core.ListMultipartUploads(ctx, bucket, "", "", "", "", 100)).Uploads
	}
	same([]string{uploads()[0].Key, uploads()[0].UploadID}, []string{"steps", id})
	done(core.AbortMultipartUpload(ctx, bucket, "steps", id))
	_, err := parts()
	fails("NoSuchUpload", err)
	same(len(uploads()), 0)
}

func multipartCopy() {
	body := random(6 * mib)
	put("from", body)
	must(client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "to"},
		minio.CopySrcOptions{Bucket: bucket, Object: "from"},
		minio.CopySrcOptions{Bucket: bucket, Object: "from", MatchRange: true, Start: 10, End: 19}))
	ensure(bytes.Equal(get("to"), append(body, body[10:20]...)), "other bytes")
}

func presignedGet() {
	for _, key := range []string{"plain", "presigned/key +&ü.txt"} {
		put(key, []byte("by link"))
		status, body, _ := fetch("GET", must(client.PresignedGetObject(ctx, bucket, key, life, nil)).String(), nil, nil)
		same([]any{status, string(body)}, []any{200, "by link"})
	}
}

func presignedHead() {
	put("plain", []byte("by link"))
	link := must(client.PresignedHeadObject(ctx, bucket, "plain", life, nil)).String()
	status, _, headers := fetch("HEAD", link, nil, nil)
	same([]any{status, headers.Get("Content-Length")}, []any{200, "7"})
	status, _, _ = fetch("GET", link, nil, nil)
	same(status, 403)
}

func presignedPut() {
	status, _, _ := fetch("PUT", must(client.PresignedPutObject(ctx, bucket, "put", life)).String(), []byte("by link"), nil)
	same(status, 200)
	same(string(get("put")), "by link")
}

func presignedDelete() {
	put("gone", nil)
	status, _, _ := fetch("DELETE", sign("DELETE", "gone", nil), nil, nil)
	same(status, 204)
	_, err := stat("gone")
	fails("NoSuchKey", err)
}

func presignedPost() {
	policy := minio.NewPostPolicy()
	done(policy.SetBucket(bucket))
	done(policy.SetKey("forms/f.bin"))
	done(policy.SetContentLengthRange(1, 1000))
	done(policy.SetExpires(time.Now().UTC().Add(life)))
	address, fields, err := client.PresignedPostPolicy(ctx, policy)
	done(err)
	send := func(file []byte) (int, []byte) {
		var body bytes.Buffer
		writer := multipart.NewWriter(&body)
		for name, value := range fields {
			_ = writer.WriteField(name, value)
		}
		part := must(writer.CreateFormFile("file", "f.bin"))
		_, _ = part.Write(file)
		_ = writer.Close()
		status, said, _ := fetch("POST", address.String(), body.Bytes(), http.Header{"Content-Type": {writer.FormDataContentType()}})
		return status, said
	}
	file := random(500)
	status, said := send(file)
	ensure(status == 204, status, string(said))
	ensure(bytes.Equal(get("forms/f.bin"), file), "other bytes")
	remove("forms/f.bin")
	status, said = send(random(2000))
	ensure(status == 400 && bytes.Contains(said, []byte("<Code>EntityTooLarge</Code>")), status, string(said))
	same(keys("forms/"), []string{})
}

func presignedParts() {
	id := begin("by parts")
	bodies := [][]byte{random(5 * mib), random(1024)}
	parts := []minio.CompletePart{}
	for at, body := range bodies {
		link := sign("PUT", "by parts", url.Values{"uploadId": {id}, "partNumber": {strconv.Itoa(at + 1)}})
		status, said, headers := fetch("PUT", link, body, nil)
		ensure(status == 200, status, string(said))
		parts = append(parts, minio.CompletePart{PartNumber: at + 1, ETag: headers.Get("ETag")})
	}
	must(core.CompleteMultipartUpload(ctx, bucket, "by parts", id, parts, minio.PutObjectOptions{}))
	ensure(bytes.Equal(get("by parts"), bytes.Join(bodies, nil)), "other bytes")
}

func wrongSecret() {
	stranger := connect("wrong")
	for entry := range stranger.ListObjects(ctx, bucket, minio.ListObjectsOptions{}) {
		fails("SignatureDoesNotMatch", entry.Err)
	}
	_, err := stranger.PutObject(ctx, bucket, "never", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	fails("SignatureDoesNotMatch", err)
	_, err = stat("never")
	fails("NoSuchKey", err)
}

func tamperedURL() {
	put("object", nil)
	link := sign("GET", "object", nil)
	for _, tampered := range []string{
		strings.Replace(link, "/object", "/signed", 1), strings.Replace(link, "X-Amz-Expires=900", "X-Amz-Expires=901", 1), link + "&x=y",
	} {
		status, body, _ := fetch("GET", tampered, nil, nil)
		ensure(status == 403 && bytes.Contains(body, []byte("SignatureDoesNotMatch")), status, string(body))
	}
}

func corsRules() {
	rules := cors.NewConfig([]cors.Rule{{AllowedOrigin: []string{"https://a.example"}, AllowedMethod: []string{"GET"}}})
	done(client.SetBucketCors(ctx, bucket, rules))
	same(must(client.GetBucketCors(ctx, bucket)).CORSRules[0].AllowedOrigin, []string{"https://a.example"})
	// Without rules: the client removes them.
	done(client.SetBucketCors(ctx, bucket, nil))
	left, err := client.GetBucketCors(ctx, bucket)
	ensure(left == nil && err == nil, left, err)
}

func buckets() {
	found := false
	for _, one := range must(client.ListBuckets(ctx)) {
		found = found || one.Name == bucket
	}
	ensure(found, "not listed")
	put("object", nil)
	fails("BucketNotEmpty", client.RemoveBucket(ctx, bucket))
	remove(keys("")...)
	done(client.RemoveBucket(ctx, bucket))
	same(must(client.BucketExists(ctx, bucket)), false)
}

// run tells what became of a case; every one runs, whatever became of the one before.
func run(name string, function func()) (failed bool) {
	defer func() {
		if problem := recover(); problem != nil {
			told := strings.Join(strings.Fields(fmt.Sprint(problem)), " ")
			fmt.Printf("not ok %s: %.250s\n", name, told)
			failed = true
		}
	}()
	function()
	fmt.Println("ok", name)
	return false
}

func main() {
	if build, known := debug.ReadBuildInfo(); known {
		for _, module := range build.Deps {
			if strings.HasPrefix(module.Path, "github.com/minio/minio-go") {
				fmt.Println("version", module.Path, module.Version)
			}
		}
	}
	done(client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{Region: "us-east-1"}))
	failed := false
	for _, one := range []struct {
		name     string
		function func()
	}{
		{"put-get", putGet}, {"head", head}, {"ranges", ranges}, {"list", lists}, {"copy", copies}, {"delete", deletes}, {"tags", tagging},
		{"conditional-write", conditionalWrite}, {"checksums", checksums}, {"keys", strangeKeys}, {"multipart", multiparts},
		{"multipart-steps", multipartSteps}, {"multipart-copy", multipartCopy}, {"presigned-get", presignedGet},
		{"presigned-head", presignedHead}, {"presigned-put", presignedPut}, {"presigned-delete", presignedDelete},
		{"presigned-post", presignedPost}, {"presigned-parts", presignedParts}, {"wrong-secret", wrongSecret},
		{"tampered-url", tamperedURL}, {"cors", corsRules}, {"buckets", buckets},
	} {
		failed = run(one.name, one.function) || failed
	}
	if failed {
		os.Exit(1)
	}
}
