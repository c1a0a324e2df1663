// What the AWS SDK for Go v2 does with a store: one function a case of ../cases.txt.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const mib = 1024 * 1024

var (
	ctx    = context.Background()
	bucket = aws.String(os.Getenv("BUCKET"))
	client = connect(os.Getenv("AWS_SECRET_ACCESS_KEY"))
	signer = s3.NewPresignClient(client)
)

func connect(secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint:     aws.String(os.Getenv("ENDPOINT")),
		Region:           "us-east-1",
		UsePathStyle:     true,
		RetryMaxAttempts: 1,
		Credentials:      credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), secret, ""),
	})
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

func fails(code string, err error) {
	var failure smithy.APIError
	ensure(errors.As(err, &failure), "expected ", code, ", got ", err)
	same(failure.ErrorCode(), code)
}

func random(size int) []byte {
	body := make([]byte, size)
	_, _ = rand.Read(body)
	return body
}

func put(key string, body []byte) *s3.PutObjectOutput {
	return must(client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(body)}))
}

func get(key string) []byte { return getRange(key, nil) }

func getRange(key string, asked *string) []byte {
	found := must(client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key, Range: asked}))
	defer found.Body.Close()
	return must(io.ReadAll(found.Body))
}

func head(key string) (*s3.HeadObjectOutput, error) {
	return client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
}

func keys(prefix string) []string {
	found := []string{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, entry := range must(pages.NextPage(ctx)).Contents {
			found = append(found, *entry.Key)
		}
	}
	return found
}

// fetch follows a link with plain HTTP.
func fetch(method, url string, body []byte, headers http.Header) (int, []byte, http.Header) {
	request := must(http.NewRequest(method, url, bytes.NewReader(body)))
	for name, values := range headers {
		if name != "Host" {
			request.Header[name] = values
		}
	}
	answer := must(http.DefaultClient.Do(request))
	defer answer.Body.Close()
	return answer.StatusCode, must(io.ReadAll(answer.Body)), answer.Header
}

func follow(link *v4.PresignedHTTPRequest, body []byte) (int, []byte, http.Header) {
	headers := link.SignedHeader.Clone()
	headers.Del("Content-Length")
	return fetch(link.Method, link.URL, body, headers)
}

func putGet() {
	for _, body := range [][]byte{{}, []byte("some content\n"), random(3_000_000)} {
		put("object", body)
		ensure(bytes.Equal(body, get("object")), "other bytes")
	}
}

func heads() {
	body := random(1000)
	must(client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("object"), Body: bytes.NewReader(body),
		ContentType: aws.String("text/x-test"), Metadata: map[string]string{"one": "1"},
	}))
	told := must(head("object"))
	sum := md5.Sum(body)
	same([]any{*told.ContentLength, *told.ETag, *told.ContentType, told.Metadata["one"]},
		[]any{int64(1000), `"` + hex.EncodeToString(sum[:]) + `"`, "text/x-test", "1"})
	_, err := head("none")
	fails("NotFound", err)
}

func ranges() {
	body := random(1000)
	put("object", body)
	for asked, expected := range map[string][]byte{
		"bytes=0-9": body[:10], "bytes=100-199": body[100:200], "bytes=-10": body[990:],
	} {
		ensure(bytes.Equal(getRange("object", &asked), expected), asked)
	}
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("object"), Range: aws.String("bytes=1000-")})
	fails("InvalidRange", err)
}

func list() {
	names := []string{"l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"}
	for _, name := range names {
		put(name, nil)
	}
	same(keys("l/"), names)
	rolled := must(client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("l/"), Delimiter: aws.String("/")}))
	same(len(rolled.CommonPrefixes), 1)
	same(*rolled.CommonPrefixes[0].Prefix, "l/a/")
	same(len(rolled.Contents), 4)
}

func copies() {
	must(client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("from"), Body: strings.NewReader("content"), ContentType: aws.String("text/one"),
	}))
	source := aws.String(*bucket + "/from")
	must(client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("to"), CopySource: source}))
	same(string(get("to")), "content")
	same(*must(head("to")).ContentType, "text/one")
	_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("to"), CopySource: aws.String(*bucket + "/none")})
	fails("NoSuchKey", err)
}

func remove(names ...string) {
	objects := []types.ObjectIdentifier{}
	for _, name := range names {
		objects = append(objects, types.ObjectIdentifier{Key: aws.String(name)})
	}
	done := must(client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: objects}}))
	same(len(done.Errors), 0)
}

func deletes() {
	for _, name := range []string{"d/1", "d/2", "d/3"} {
		put(name, nil)
	}
	must(client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("d/1")}))
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("d/1")})
	fails("NoSuchKey", err)
	remove("d/2", "d/3")
	same(keys("d/"), []string{})
}

func tags() {
	put("tagged", nil)
	key := aws.String("tagged")
	set := []types.Tag{{Key: aws.String("project"), Value: aws.String("blue & green")}}
	must(client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: &types.Tagging{TagSet: set}}))
	read := func() []types.Tag {
		return must(client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})).TagSet
	}
	same(*read()[0].Value, "blue & green")
	must(client.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: bucket, Key: key}))
	same(len(read()), 0)
}

func conditionalWrite() {
	once := func(body string) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: bucket, Key: aws.String("once"), Body: strings.NewReader(body), IfNoneMatch: aws.String("*"),
		})
		return err
	}
	ensure(once("1") == nil, "refused")
	fails("PreconditionFailed", once("2"))
	same(string(get("once")), "1")
}

func checksums() {
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		sent := must(client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: bucket, Key: aws.String("sum"), Body: strings.NewReader("content"), ChecksumAlgorithm: algorithm,
		}))
		told := must(head("sum"))
		same([]*string{told.ChecksumCRC32, told.ChecksumCRC32C, told.ChecksumCRC64NVME, told.ChecksumSHA1, told.ChecksumSHA256},
			[]*string{sent.ChecksumCRC32, sent.ChecksumCRC32C, sent.ChecksumCRC64NVME, sent.ChecksumSHA1, sent.ChecksumSHA256})
	}
	ensure(must(head("sum")).ChecksumSHA256 != nil, "no checksum")
	sum := sha256.Sum256([]byte("other"))
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("never"), Body: strings.NewReader("content"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	fails("BadDigest", err)
	_, err = head("never")
	fails("NotFound", err)
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
	uploader := manager.NewUploader(client, func(u *manager.Uploader) { u.PartSize = 8 * mib })
	must(uploader.Upload(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("large"), Body: bytes.NewReader(body)}))
	ensure(strings.HasSuffix(*must(head("large")).ETag, `-13"`), "not 13 parts")
	back := manager.NewWriteAtBuffer(nil)
	must(manager.NewDownloader(client).Download(ctx, back, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("large")}))
	ensure(bytes.Equal(back.Bytes(), body), "other bytes")
	// A stream of unknown length.
	must(uploader.Upload(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("stream"), Body: io.LimitReader(bytes.NewReader(body), 9*mib)}))
	ensure(bytes.Equal(get("stream"), body[:9*mib]), "other bytes of a stream")
}

func begin(key string) *string {
	return must(client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &key})).UploadId
}

func complete(key string, id *string, etags ...*string) {
	parts := []types.CompletedPart{}
	for at, etag := range etags {
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(at + 1)), ETag: etag})
	}
	must(client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}))
}

func multipartSteps() {
	id, key := begin("steps"), aws.String("steps")
	sent := must(client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: bucket, Key: key, UploadId: id, PartNumber: aws.Int32(1), Body: bytes.NewReader(random(5 * mib)),
	}))
	parts := func() (*s3.ListPartsOutput, error) {
		return client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: id})
	}
	part := must(parts()).Parts[0]
	same([]any{*part.PartNumber, *part.Size, *part.ETag}, []any{int32(1), int64(5 * mib), *sent.ETag})
	uploads := func() []types.MultipartUpload {
		return must(client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})).Uploads
	}
	same([]string{*uploads()[0].Key, *uploads()[0].UploadId}, []string{"steps", *id})
	must(client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: id}))
	_, err := parts()
	fails("NoSuchUpload", err)
	same(len(uploads()), 0)
}

func multipartCopy() {
	body := random(6 * mib)
	put("from", body)
	id := begin("to")
	part := func(number int32, asked *string) *string {
		return must(client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: bucket, Key: aws.String("to"), UploadId: id, PartNumber: &number,
			CopySource: aws.String(*bucket + "/from"), CopySourceRange: asked,
		})).CopyPartResult.ETag
	}
	complete("to", id, part(1, nil), part(2, aws.String("bytes=10-19")))
	ensure(bytes.Equal(get("to"), append(body, body[10:20]...)), "other bytes")
}

func presignedGet() {
	for _, key := range []string{"plain", "presigned/key +&ü.txt"} {
		put(key, []byte("by link"))
		link := must(signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key}))
		status, body, _ := fetch("GET", link.URL, nil, nil)
		same([]any{status, string(body)}, []any{200, "by link"})
	}
}

func presignedHead() {
	put("plain", []byte("by link"))
	link := must(signer.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("plain")}))
	status, _, headers := fetch("HEAD", link.URL, nil, nil)
	same([]any{status, headers.Get("Content-Length")}, []any{200, "7"})
	status, _, _ = fetch("GET", link.URL, nil, nil)
	same(status, 403)
}

func presignedPut() {
	link := must(signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("put")}))
	status, _, _ := follow(link, []byte("by link"))
	same(status, 200)
	same(string(get("put")), "by link")
}

func presignedDelete() {
	put("gone", nil)
	link := must(signer.PresignDeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("gone")}))
	status, _, _ := follow(link, nil)
	same(status, 204)
	_, err := head("gone")
	fails("NotFound", err)
}

func presignedPost() {
	form := must(signer.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("forms/f.bin")}, func(o *s3.PresignPostOptions) {
		o.Expires = 15 * time.Minute
		o.Conditions = []any{[]any{"content-length-range", 0, 1000}}
	}))
	send := func(file []byte) (int, []byte) {
		var body bytes.Buffer
		writer := multipart.NewWriter(&body)
		for name, value := range form.Values {
			_ = writer.WriteField(name, value)
		}
		part := must(writer.CreateFormFile("file", "f.bin"))
		_, _ = part.Write(file)
		_ = writer.Close()
		status, said, _ := fetch("POST", form.URL, body.Bytes(), http.Header{"Content-Type": {writer.FormDataContentType()}})
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
	etags := []*string{}
	for at, body := range bodies {
		link := must(signer.PresignUploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: aws.String("by parts"), UploadId: id, PartNumber: aws.Int32(int32(at + 1)),
		}))
		status, said, headers := follow(link, body)
		ensure(status == 200, status, string(said))
		etags = append(etags, aws.String(headers.Get("ETag")))
	}
	complete("by parts", id, etags...)
	ensure(bytes.Equal(get("by parts"), bytes.Join(bodies, nil)), "other bytes")
}

func wrongSecret() {
	stranger := connect("wrong")
	_, err := stranger.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
	fails("SignatureDoesNotMatch", err)
	_, err = stranger.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("never"), Body: strings.NewReader("x")})
	fails("SignatureDoesNotMatch", err)
	_, err = head("never")
	fails("NotFound", err)
}

func tamperedURL() {
	put("object", nil)
	link := must(signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("object")}, s3.WithPresignExpires(900*time.Second))).URL
	for _, tampered := range []string{
		strings.Replace(link, "/object", "/signed", 1), strings.Replace(link, "X-Amz-Expires=900", "X-Amz-Expires=901", 1), link + "&x=y",
	} {
		status, body, _ := fetch("GET", tampered, nil, nil)
		ensure(status == 403 && bytes.Contains(body, []byte("SignatureDoesNotMatch")), status, string(body))
	}
}

func cors() {
	rules := []types.CORSRule{{AllowedOrigins: []string{"https://a.example"}, AllowedMethods: []string{"GET"}}}
	must(client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}}))
	same(must(client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: bucket})).CORSRules[0].AllowedOrigins, rules[0].AllowedOrigins)
	must(client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: bucket}))
	_, err := client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: bucket})
	fails("NoSuchCORSConfiguration", err)
}

func buckets() {
	found := false
	for _, one := range must(client.ListBuckets(ctx, &s3.ListBucketsInput{})).Buckets {
		found = found || *one.Name == *bucket
	}
	ensure(found, "not listed")
	put("object", nil)
	_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	fails("BucketNotEmpty", err)
	remove(keys("")...)
	must(client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}))
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	fails("NotFound", err)
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
			if strings.HasSuffix(module.Path, "service/s3") {
				fmt.Println("version", module.Path, module.Version)
			}
		}
	}
	must(client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))
	failed := false
	for _, one := range []struct {
		name     string
		function func()
	}{
		{"put-get", putGet}, {"head", heads}, {"ranges", ranges}, {"list", list}, {"copy", copies}, {"delete", deletes}, {"tags", tags},
		{"conditional-write", conditionalWrite}, {"checksums", checksums}, {"keys", strangeKeys}, {"multipart", multiparts},
		{"multipart-steps", multipartSteps}, {"multipart-copy", multipartCopy}, {"presigned-get", presignedGet},
		{"presigned-head", presignedHead}, {"presigned-put", presignedPut}, {"presigned-delete", presignedDelete},
		{"presigned-post", presignedPost}, {"presigned-parts", presignedParts}, {"wrong-secret", wrongSecret},
		{"tampered-url", tamperedURL}, {"cors", cors}, {"buckets", buckets},
	} {
		failed = run(one.name, one.function) || failed
	}
	if failed {
		os.Exit(1)
	}
}
