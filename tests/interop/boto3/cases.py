"""What boto3 does with a store: one function a case of ../cases.txt."""

import base64
import hashlib
import io
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.append("..")
from python import MIB, case, fetch, form_body, run

ENDPOINT, BUCKET = os.environ["ENDPOINT"], os.environ["BUCKET"]
STRANGE_KEYS = [
    "plain.txt", "with space and + plus", "ünïcode/日本語.txt", "double//slash", "/leading", "trailing/", "percent%20%2F%",
    "quotes'\"`<>&", "dots/../and/./more", "~=tilde/~@", "k" * 1024,
]


def client(secret=None, s3=None, **config):
    return boto3.client(
        "s3", endpoint_url=ENDPOINT, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or os.environ["AWS_SECRET_ACCESS_KEY"],
        # Links are signed with Signature Version 2 unless it is told otherwise.
        config=Config(signature_version="s3v4", retries={"max_attempts": 1}, s3={"addressing_style": "path", **(s3 or {})}, **config),
    )


s3 = client()


def fails(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), f"expected {(code, status)}, got {got}"
    else:
        raise AssertionError(f"expected {code}, got an answer")


def put(key, body=b"content", **more):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)


def get(key, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


def keys(**arguments):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, **arguments).get("Contents", [])]


@case
def put_get():
    for body in [b"", b"some content\n", os.urandom(3_000_000)]:
        put("object", body)
        assert get("object") == body
    for name, settings in [
        ("unsigned trailer", {}),
        ("signed payload", {"s3": {"payload_signing_enabled": True}}),
        ("no checksum", {"request_checksum_calculation": "when_required"}),
        ("signed, no checksum", {"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": True}}),
    ]:
        body = os.urandom(200_000)
        client(**settings).put_object(Bucket=BUCKET, Key="signed", Body=io.BytesIO(body))
        assert get("signed") == body, name


@case
def head():
    body = os.urandom(300_000)
    said = {
        "ContentType": "text/x-test", "CacheControl": "max-age=60", "ContentDisposition": "attachment", "ContentEncoding": "identity",
        "ContentLanguage": "de", "Metadata": {"one": "1", "two": "zwei"},
    }
    put("object", body, **said)
    told = s3.head_object(Bucket=BUCKET, Key="object")
    assert (told["ContentLength"], told["ETag"]) == (len(body), '"' + hashlib.md5(body).hexdigest() + '"')
    for name, value in said.items():
        assert told[name] == value, f"{name}: {told.get(name)!r}"
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="none")


@case
def ranges():
    body = os.urandom(1000)
    put("object", body)
    for asked, expected in [("bytes=0-9", body[:10]), ("bytes=100-199", body[100:200]), ("bytes=-10", body[-10:])]:
        assert get("object", Range=asked) == expected, asked
    fails("InvalidRange", 416, s3.get_object, Bucket=BUCKET, Key="object", Range="bytes=1000-")


@case
def list():
    names = ["l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"]
    for name in names:
        put(name, b"")
    assert keys(Prefix="l/") == names
    rolled = s3.list_objects_v2(Bucket=BUCKET, Prefix="l/", Delimiter="/")
    assert [prefix["Prefix"] for prefix in rolled["CommonPrefixes"]] == ["l/a/"]
    assert [entry["Key"] for entry in rolled["Contents"]] == ["l/a-b", "l/a.b", "l/a0", "l/b"]
    for operation in ["list_objects_v2", "list_objects"]:
        for delimiter in ["", "/"]:
            seen = []
            pages = s3.get_paginator(operation).paginate(
                Bucket=BUCKET, Prefix="l/", Delimiter=delimiter, PaginationConfig={"PageSize": 2}
            )
            for page in pages:
                seen += [entry["Key"] for entry in page.get("Contents", [])]
                seen += [prefix["Prefix"] for prefix in page.get("CommonPrefixes", [])]
            assert sorted(seen) == (["l/a-b", "l/a.b", "l/a/", "l/a0", "l/b"] if delimiter else names), (operation, delimiter, seen)
    assert keys(Prefix="l/", StartAfter="l/a/1") == ["l/a/2", "l/a0", "l/b"]
    fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket=BUCKET + "-none")


@case
def copy():
    source = {"Bucket": BUCKET, "Key": "from"}
    put("from", ContentType="text/one", Metadata={"a": "1"}, Tagging="t=1")
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource=source)
    told = s3.head_object(Bucket=BUCKET, Key="to")
    assert (get("to"), told["ContentType"], told["Metadata"]) == (b"content", "text/one", {"a": "1"})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="to")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource=source, MetadataDirective="REPLACE", ContentType="text/two", Metadata={"b": "2"})
    told = s3.head_object(Bucket=BUCKET, Key="to")
    assert (told["ContentType"], told["Metadata"]) == ("text/two", {"b": "2"})
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource=source, CopySourceIfMatch=told["ETag"])
    fails("PreconditionFailed", 412, s3.copy_object, Bucket=BUCKET, Key="to", CopySource=source, CopySourceIfNoneMatch=told["ETag"])
    fails("InvalidRequest", 400, s3.copy_object, Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "to"})
    fails("NoSuchKey", 404, s3.copy_object, Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "none"})


@case
def delete():
    for number in range(6):
        put(f"many/{number}", b"")
    s3.delete_object(Bucket=BUCKET, Key="many/5")
    fails("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="many/5")
    removed = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": f"many/{number}"} for number in range(6)]})
    assert len(removed["Deleted"]) == 6 and "Errors" not in removed
    assert keys(Prefix="many/") == []
    quiet = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "many/0"}], "Quiet": True})
    assert "Deleted" not in quiet


@case
def tags():
    put("tagged")
    tag_set = [{"Key": "project", "Value": "blue & green"}, {"Key": "empty", "Value": ""}]
    s3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": tag_set})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == tag_set
    assert s3.get_object(Bucket=BUCKET, Key="tagged")["TagCount"] == 2
    s3.delete_object_tagging(Bucket=BUCKET, Key="tagged")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == []
    same = {"TagSet": [{"Key": "same", "Value": "1"}, {"Key": "same", "Value": "2"}]}
    fails("InvalidTag", 400, s3.put_object_tagging, Bucket=BUCKET, Key="tagged", Tagging=same)


@case
def conditional_write():
    etag = put("once", b"1", IfNoneMatch="*")["ETag"]
    fails("PreconditionFailed", 412, put, key="once", body=b"2", IfNoneMatch="*")
    fails("PreconditionFailed", 412, put, key="once", body=b"2", IfMatch='"0"')
    put("once", b"3", IfMatch=etag)
    assert get("once") == b"3"


@case
def checksums():
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        sent = put("sum", ChecksumAlgorithm=algorithm)
        told = s3.head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
        assert told["Checksum" + algorithm] == sent["Checksum" + algorithm]
    attributes = s3.get_object_attributes(Bucket=BUCKET, Key="sum", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"])
    assert (attributes["ObjectSize"], attributes["StorageClass"]) == (7, "STANDARD")
    assert attributes["ETag"] == hashlib.md5(b"content").hexdigest()
    assert attributes["Checksum"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"content").digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    fails("BadDigest", 400, put, key="never", ChecksumSHA256=wrong)
    fails("BadDigest", 400, put, key="never", ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="never")


@case
def strange_keys():
    for key in STRANGE_KEYS:
        put(key, key.encode())
        assert get(key) == key.encode(), key
        assert keys(Prefix=key, MaxKeys=1) == [key], key
        link = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        assert fetch(link)[:2] == (200, key.encode()), key
    assert set(STRANGE_KEYS) <= set(keys())
    for key in STRANGE_KEYS:
        s3.delete_object(Bucket=BUCKET, Key=key)
    assert not set(STRANGE_KEYS) & set(keys())


@case
def multipart():
    body = os.urandom(100 * MIB)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "large", Config=TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB))
    assert s3.head_object(Bucket=BUCKET, Key="large")["ETag"].endswith('-13"')
    back = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", back)
    assert back.getvalue() == body
    part = s3.get_object(Bucket=BUCKET, Key="large", PartNumber=13)
    assert (part["PartsCount"], part["Body"].read()) == (13, body[96 * MIB:])
    told = s3.get_object_attributes(Bucket=BUCKET, Key="large", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert (told["TotalPartsCount"], len(told["Parts"])) == (13, 13)


@case
def multipart_steps():
    upload = {"Bucket": BUCKET, "Key": "steps", "UploadId": s3.create_multipart_upload(Bucket=BUCKET, Key="steps")["UploadId"]}
    etag = s3.upload_part(PartNumber=1, Body=os.urandom(5 * MIB), **upload)["ETag"]
    listed = s3.list_parts(**upload)["Parts"]
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in listed] == [(1, 5 * MIB, etag)]
    uploads = s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert [(found["Key"], found["UploadId"]) for found in uploads] == [("steps", upload["UploadId"])]
    s3.abort_multipart_upload(**upload)
    fails("NoSuchUpload", 404, s3.list_parts, **upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def complete(upload, etags):
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    return s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)


@case
def multipart_copy():
    body = os.urandom(6 * MIB)
    put("from", body)
    upload = {"Bucket": BUCKET, "Key": "to", "UploadId": s3.create_multipart_upload(Bucket=BUCKET, Key="to")["UploadId"]}
    source = {"Bucket": BUCKET, "Key": "from"}
    whole = s3.upload_part_copy(PartNumber=1, CopySource=source, **upload)
    last = s3.upload_part_copy(PartNumber=2, CopySource=source, CopySourceRange="bytes=10-19", **upload)
    complete(upload, [part["CopyPartResult"]["ETag"] for part in [whole, last]])
    assert get("to") == body + body[10:20]


def sign(operation, key, **more):
    return s3.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": key, **more})


@case
def presigned_get():
    for key in ["plain", "presigned/key +&ü.txt"]:
        put(key, b"by link")
        assert fetch(sign("get_object", key))[:2] == (200, b"by link")
    named = sign("get_object", "plain", ResponseContentDisposition="attachment; filename=x")
    assert fetch(named)[2]["Content-Disposition"] == "attachment; filename=x"
    assert fetch(sign("get_object", "none"))[0] == 404


@case
def presigned_head():
    put("plain", b"by link")
    status, _, headers = fetch(sign("head_object", "plain"), "HEAD")
    assert (status, headers["Content-Length"]) == (200, "7")
    assert fetch(sign("head_object", "plain"))[0] == 403


@case
def presigned_put():
    assert fetch(sign("put_object", "put"), "PUT", b"by link")[0] == 200
    assert get("put") == b"by link"
    typed = sign("put_object", "put", ContentType="text/x-typed")
    assert fetch(typed, "PUT", b"x", {"Content-Type": "text/other"})[0] == 403
    assert fetch(typed, "PUT", b"x", {"Content-Type": "text/x-typed"})[0] == 200
    assert fetch(sign("put_object", "put"), "PUT", b"x", {"x-amz-copy-source": f"/{BUCKET}/plain"})[0] == 403


@case
def presigned_delete():
    put("gone")
    assert fetch(sign("delete_object", "gone"), "DELETE")[0] == 204
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="gone")


@case
def presigned_post():
    form = s3.generate_presigned_post(
        BUCKET, "forms/${filename}", Conditions=[["content-length-range", 0, 1000], {"x-amz-meta-by": "form"}],
        Fields={"x-amz-meta-by": "form"},
    )
    file = os.urandom(500)
    body, headers = form_body(form["fields"], file)
    assert fetch(form["url"], "POST", body, headers)[0] == 204
    assert get("forms/f.bin") == file
    s3.delete_object(Bucket=BUCKET, Key="forms/f.bin")
    body, headers = form_body(form["fields"], os.urandom(2000))
    status, said, _ = fetch(form["url"], "POST", body, headers)
    assert (status, b"<Code>EntityTooLarge</Code>" in said) == (400, True), said
    body, headers = form_body({**form["fields"], "x-amz-meta-more": "1"}, file)
    status, said, _ = fetch(form["url"], "POST", body, headers)
    assert (status, b"Extra input fields: x-amz-meta-more" in said) == (403, True), said
    assert keys(Prefix="forms/") == []


@case
def presigned_parts():
    upload = {"Bucket": BUCKET, "Key": "by parts", "UploadId": s3.create_multipart_upload(Bucket=BUCKET, Key="by parts")["UploadId"]}
    bodies, etags = [os.urandom(5 * MIB), os.urandom(1024)], []
    for number, body in enumerate(bodies, 1):
        link = s3.generate_presigned_url("upload_part", Params={**upload, "PartNumber": number})
        status, _, headers = fetch(link, "PUT", body)
        assert status == 200
        etags.append(headers["ETag"])
    complete(upload, etags)
    assert get("by parts") == b"".join(bodies)


@case
def wrong_secret():
    stranger = client(secret="wrong")
    fails("SignatureDoesNotMatch", 403, stranger.list_objects_v2, Bucket=BUCKET)
    fails("SignatureDoesNotMatch", 403, stranger.put_object, Bucket=BUCKET, Key="never", Body=b"x")
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="never")


@case
def tampered_url():
    put("object")
    link = sign("get_object", "object")
    for tampered in [link.replace("/object", "/signed"), link.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"), link + "&x=y"]:
        status, body, _ = fetch(tampered)
        assert (status, b"SignatureDoesNotMatch" in body) == (403, True), tampered.split("?")[0]


@case
def cors():
    fails("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket=BUCKET)
    rules = [{"ID": "one", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 5}]
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"] == rules
    s3.delete_bucket_cors(Bucket=BUCKET)
    fails("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket=BUCKET)


@case
def buckets():
    s3.create_bucket(Bucket=BUCKET)
    s3.head_bucket(Bucket=BUCKET)
    assert BUCKET in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    # What Terraform asks for.
    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
    for call, code in [
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
    ]:
        fails(code, 404, call, Bucket=BUCKET)
    fails("NotImplemented", 501, s3.put_bucket_versioning, Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    fails("404", 404, s3.head_bucket, Bucket=BUCKET + "-none")
    put("object")
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=BUCKET)
    while left := keys():
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in left]})
    s3.delete_bucket(Bucket=BUCKET)
    fails("NoSuchBucket", 404, s3.delete_bucket, Bucket=BUCKET)


s3.create_bucket(Bucket=BUCKET)
run(f"boto3 {boto3.__version__}")
