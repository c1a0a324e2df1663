"""What minio-py does with a store: one function a case of ../cases.txt."""

import datetime
import hashlib
import io
import os
import sys
import urllib.parse

import minio
import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

sys.path.append("..")
from python import MIB, case, fetch, form_body, run

ENDPOINT, BUCKET = os.environ["ENDPOINT"], os.environ["BUCKET"]
LIFE = datetime.timedelta(minutes=15)
STRANGE_KEYS = [
    "plain.txt", "with space and + plus", "ünïcode/日本語.txt", "double//slash", "/leading", "trailing/", "percent%20%2F%",
    "quotes'\"`<>&", "~=tilde/~@", "k" * 1024,
]


def client(secret=None):
    return Minio(
        endpoint=urllib.parse.urlsplit(ENDPOINT).netloc, access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=secret or os.environ["AWS_SECRET_ACCESS_KEY"], secure=False, region="us-east-1",
        http_client=urllib3.PoolManager(retries=False),
    )


s3 = client()


def fails(code, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except S3Error as error:
        assert error.code == code, f"expected {code}, got {error.code}"
    else:
        raise AssertionError(f"expected {code}, got an answer")


def put(key, body=b"content", **more):
    return s3.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(body), length=len(body), **more)


def get(key, **more):
    answer = s3.get_object(bucket_name=BUCKET, object_name=key, **more)
    try:
        return answer.read()
    finally:
        answer.close()


def stat(key):
    return s3.stat_object(bucket_name=BUCKET, object_name=key)


def keys(prefix="", **more):
    return [found.object_name for found in s3.list_objects(bucket_name=BUCKET, prefix=prefix, recursive=True, **more)]


@case
def put_get():
    for body in [b"", b"some content\n", os.urandom(3_000_000)]:
        put("object", body)
        assert get("object") == body
    body = os.urandom(200_000)
    s3.put_object(bucket_name=BUCKET, object_name="stream", data=io.BytesIO(body), length=-1, part_size=5 * MIB)
    assert get("stream") == body


@case
def head():
    body = os.urandom(1000)
    put("object", body, content_type="text/x-test", metadata={"One": "1"})
    told = stat("object")
    assert (told.size, told.etag, told.content_type) == (1000, hashlib.md5(body).hexdigest(), "text/x-test")
    assert told.metadata["x-amz-meta-one"] == "1"
    fails("NoSuchKey", stat, "none")


@case
def ranges():
    body = os.urandom(1000)
    put("object", body)
    for offset, length in [(0, 10), (100, 100), (990, 10)]:
        assert get("object", offset=offset, length=length) == body[offset:offset + length]
    fails("InvalidRange", get, "object", offset=1000, length=1)


@case
def list():
    names = ["l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"]
    for name in names:
        put(name, b"")
    assert keys("l/") == names
    # The client pages by itself; both versions of the listing.
    assert keys("l/", use_api_v1=True) == names
    rolled = [(found.object_name, found.is_dir) for found in s3.list_objects(bucket_name=BUCKET, prefix="l/")]
    assert sorted(rolled) == [("l/a-b", False), ("l/a.b", False), ("l/a/", True), ("l/a0", False), ("l/b", False)]
    assert keys("l/", start_after="l/a/1") == ["l/a/2", "l/a0", "l/b"]


@case
def copy():
    put("from", content_type="text/one", metadata={"a": "1"})
    s3.copy_object(bucket_name=BUCKET, object_name="to", source=CopySource(bucket_name=BUCKET, object_name="from"))
    assert get("to") == b"content"
    assert (stat("to").content_type, stat("to").metadata["x-amz-meta-a"]) == ("text/one", "1")
    none = CopySource(bucket_name=BUCKET, object_name="none")
    fails("NoSuchKey", s3.copy_object, bucket_name=BUCKET, object_name="to", source=none)


def remove_all(names):
    return [*s3.remove_objects(bucket_name=BUCKET, delete_object_list=[DeleteObject(name) for name in names])]


@case
def delete():
    for name in ["d/1", "d/2", "d/3"]:
        put(name)
    s3.remove_object(bucket_name=BUCKET, object_name="d/1")
    fails("NoSuchKey", get, "d/1")
    assert remove_all(["d/2", "d/3"]) == []
    assert keys("d/") == []


@case
def tags():
    put("tagged")
    wanted = Tags.new_object_tags()
    wanted["project"] = "blue and green"
    s3.set_object_tags(bucket_name=BUCKET, object_name="tagged", tags=wanted)
    assert s3.get_object_tags(bucket_name=BUCKET, object_name="tagged") == wanted
    s3.delete_object_tags(bucket_name=BUCKET, object_name="tagged")
    assert s3.get_object_tags(bucket_name=BUCKET, object_name="tagged") is None


@case
def strange_keys():
    for key in STRANGE_KEYS:
        put(key, key.encode())
        assert get(key) == key.encode(), key
        assert key in keys(key), key
    for key in STRANGE_KEYS:
        s3.remove_object(bucket_name=BUCKET, object_name=key)
    assert not set(STRANGE_KEYS) & set(keys())


@case
def multipart():
    body = os.urandom(100 * MIB)
    put("large", body, part_size=8 * MIB, num_parallel_uploads=3)
    assert stat("large").etag.endswith("-13")
    assert get("large") == body


@case
def multipart_copy():
    body = os.urandom(6 * MIB)
    put("from", body)
    sources = [
        ComposeSource(bucket_name=BUCKET, object_name="from"),
        ComposeSource(bucket_name=BUCKET, object_name="from", offset=10, length=10),
    ]
    s3.compose_object(bucket_name=BUCKET, object_name="to", sources=sources)
    assert get("to") == body + body[10:20]


def sign(method, key, **more):
    return s3.get_presigned_url(method=method, bucket_name=BUCKET, object_name=key, expires=LIFE, **more)


@case
def presigned_get():
    for key in ["plain", "presigned/key +&ü.txt"]:
        put(key, b"by link")
        link = s3.presigned_get_object(bucket_name=BUCKET, object_name=key, expires=LIFE)
        assert fetch(link)[:2] == (200, b"by link")


@case
def presigned_head():
    put("plain", b"by link")
    status, _, headers = fetch(sign("HEAD", "plain"), "HEAD")
    assert (status, headers["Content-Length"]) == (200, "7")
    assert fetch(sign("HEAD", "plain"))[0] == 403


@case
def presigned_put():
    link = s3.presigned_put_object(bucket_name=BUCKET, object_name="put", expires=LIFE)
    assert fetch(link, "PUT", b"by link")[0] == 200
    assert get("put") == b"by link"


@case
def presigned_delete():
    put("gone")
    assert fetch(sign("DELETE", "gone"), "DELETE")[0] == 204
    fails("NoSuchKey", stat, "gone")


@case
def presigned_post():
    policy = PostPolicy(BUCKET, datetime.datetime.now(datetime.timezone.utc) + LIFE)
    policy.add_starts_with_condition("key", "forms/")
    policy.add_content_length_range_condition(0, 1000)
    fields = {**s3.presigned_post_policy(policy), "key": "forms/f.bin"}
    url = f"{ENDPOINT}/{BUCKET}"
    file = os.urandom(500)
    body, headers = form_body(fields, file)
    status, said, _ = fetch(url, "POST", body, headers)
    assert status == 204, said
    assert get("forms/f.bin") == file
    s3.remove_object(bucket_name=BUCKET, object_name="forms/f.bin")
    body, headers = form_body(fields, os.urandom(2000))
    status, said, _ = fetch(url, "POST", body, headers)
    assert (status, b"<Code>EntityTooLarge</Code>" in said) == (400, True), said
    assert keys("forms/") == []


@case
def wrong_secret():
    stranger = client(secret="wrong")
    fails("SignatureDoesNotMatch", lambda: [*stranger.list_objects(bucket_name=BUCKET)])
    fails("SignatureDoesNotMatch", stranger.put_object, bucket_name=BUCKET, object_name="never", data=io.BytesIO(b"x"), length=1)
    fails("NoSuchKey", stat, "never")


@case
def tampered_url():
    put("object")
    link = s3.presigned_get_object(bucket_name=BUCKET, object_name="object", expires=LIFE)
    for tampered in [link.replace("/object", "/signed"), link.replace("X-Amz-Expires=900", "X-Amz-Expires=901"), link + "&x=y"]:
        status, body, _ = fetch(tampered)
        assert (status, b"SignatureDoesNotMatch" in body) == (403, True), tampered.split("?")[0]


@case
def buckets():
    assert BUCKET in [found.name for found in s3.list_buckets()]
    put("object")
    fails("BucketNotEmpty", s3.remove_bucket, bucket_name=BUCKET)
    assert remove_all(keys()) == []
    s3.remove_bucket(bucket_name=BUCKET)
    assert not s3.bucket_exists(bucket_name=BUCKET)


MISSING = {
    "conditional-write": "minio-py 7 has no option for If-None-Match on an upload",
    "checksums": "minio-py 7 has no option to send or read x-amz-checksum-* of an object",
    "multipart-steps": "minio-py 7 offers the steps of an upload in parts to itself alone",
    "presigned-parts": "minio-py 7 has no public call that begins or completes an upload in parts",
    "cors": "minio-py 7 has no call for a bucket's CORS rules",
}


NOTES = {
    "list": "not in pages of 2: the client pages by itself",
    "keys": "dots/../and/./more is left out: the client folds it before it asks",
}

s3.make_bucket(bucket_name=BUCKET)
run(f"minio (PyPI) {minio.__version__}", MISSING, NOTES)
