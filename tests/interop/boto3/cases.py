"""What boto3 does with a store, each case by itself in one bucket."""

import base64
import hashlib
import io
import os
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, BUCKET = os.environ["ENDPOINT"], os.environ["BUCKET"]
STRANGE_KEYS = [
    "plain.txt",
    "with space and + plus",
    "ünïcode/日本語.txt",
    "double//slash",
    "/leading",
    "trailing/",
    "percent%20%2F%",
    "quotes'\"`<>&",
    "dots/../and/./more",
    "~=tilde/~@",
    "k" * 1024,
]


def client(secret=None, **config):
    return boto3.client(
        "s3", endpoint_url=ENDPOINT, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or os.environ["AWS_SECRET_ACCESS_KEY"],
        # Links are signed with Signature Version 2 unless it is told otherwise.
        config=Config(signature_version="s3v4", retries={"max_attempts": 1}, s3={"addressing_style": "path", **config.pop("s3", {})}, **config),
    )


s3 = client()
CASES = []


def case(function):
    CASES.append(function)
    return function


def fails(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), f"expected {(code, status)}, got {got}"
    else:
        raise AssertionError(f"expected {code}, got an answer")


def fetch(url, method="GET", data=None, headers=None):
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def keys(**arguments):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, **arguments).get("Contents", [])]


@case
def a_bucket_is_made_found_and_made_again():
    s3.create_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=BUCKET)
    s3.head_bucket(Bucket=BUCKET)
    assert BUCKET in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
    fails("404", 404, s3.head_bucket, Bucket=BUCKET + "-none")


@case
def an_object_comes_back_as_it_was_put():
    body = os.urandom(300_000)
    put = s3.put_object(
        Bucket=BUCKET, Key="object", Body=body, ContentType="text/x-test", CacheControl="max-age=60",
        ContentDisposition="attachment", ContentEncoding="identity", ContentLanguage="de", Metadata={"one": "1", "two": "zwei"},
    )
    got = s3.get_object(Bucket=BUCKET, Key="object", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert put["ETag"] == got["ETag"] == '"' + hashlib.md5(body).hexdigest() + '"'
    for name, value in [("ContentType", "text/x-test"), ("CacheControl", "max-age=60"), ("ContentDisposition", "attachment"),
                        ("ContentEncoding", "identity"), ("ContentLanguage", "de"), ("Metadata", {"one": "1", "two": "zwei"})]:
        assert got[name] == value, f"{name}: {got.get(name)!r}"
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"]
    head = s3.head_object(Bucket=BUCKET, Key="object")
    assert head["ContentLength"] == len(body)
    part = s3.get_object(Bucket=BUCKET, Key="object", Range="bytes=10-19")
    assert (part["Body"].read(), part["ContentRange"]) == (body[10:20], f"bytes 10-19/{len(body)}")


@case
def every_key_works():
    for key in STRANGE_KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode(), key
        assert keys(Prefix=key, MaxKeys=1) == [key], key
        link = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        assert fetch(link) == (200, key.encode()), key
    assert set(STRANGE_KEYS) <= set(keys())
    for key in STRANGE_KEYS:
        s3.delete_object(Bucket=BUCKET, Key=key)
    assert not set(STRANGE_KEYS) & set(keys())


@case
def all_ways_of_signing_a_body_are_taken():
    for name, settings in [
        ("unsigned trailer", {}),
        ("signed payload", {"s3": {"payload_signing_enabled": True}}),
        ("no checksum", {"request_checksum_calculation": "when_required"}),
        ("signed, no checksum", {"request_checksum_calculation": "when_required", "s3": {"payload_signing_enabled": True}}),
    ]:
        body = os.urandom(200_000)
        client(**settings).put_object(Bucket=BUCKET, Key="signed", Body=io.BytesIO(body))
        assert s3.get_object(Bucket=BUCKET, Key="signed")["Body"].read() == body, name


@case
def every_checksum_is_kept_and_a_wrong_one_is_refused():
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket=BUCKET, Key="sum", Body=b"content", ChecksumAlgorithm=algorithm)
        head = s3.head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
        assert head["Checksum" + algorithm] == put["Checksum" + algorithm]
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    fails("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="never", Body=b"content", ChecksumSHA256=wrong)
    fails("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="never", Body=b"content",
          ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="never")


@case
def listings_page_and_roll_up():
    names = ["l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b"]
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"")
    assert keys(Prefix="l/") == names
    rolled = s3.list_objects_v2(Bucket=BUCKET, Prefix="l/", Delimiter="/")
    assert [prefix["Prefix"] for prefix in rolled["CommonPrefixes"]] == ["l/a/"]
    assert [entry["Key"] for entry in rolled["Contents"]] == ["l/a-b", "l/a.b", "l/a0", "l/b"]
    for operation in ["list_objects_v2", "list_objects"]:
        for delimiter in ["", "/"]:
            seen = []
            for page in s3.get_paginator(operation).paginate(
                Bucket=BUCKET, Prefix="l/", Delimiter=delimiter, PaginationConfig={"PageSize": 2}
            ):
                seen += [entry["Key"] for entry in page.get("Contents", [])]
                seen += [prefix["Prefix"] for prefix in page.get("CommonPrefixes", [])]
            expected = names if not delimiter else ["l/a-b", "l/a.b", "l/a/", "l/a0", "l/b"]
            assert sorted(seen) == expected, (operation, delimiter, seen)
    assert keys(Prefix="l/", StartAfter="l/a/1") == ["l/a/2", "l/a0", "l/b"]
    fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket=BUCKET + "-none")


@case
def copies_keep_or_replace_what_is_said_of_them():
    s3.put_object(Bucket=BUCKET, Key="from", Body=b"content", ContentType="text/one", Metadata={"a": "1"}, Tagging="t=1")
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "from"})
    head = s3.head_object(Bucket=BUCKET, Key="to")
    assert (head["ContentType"], head["Metadata"]) == ("text/one", {"a": "1"})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="to")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "from"}, MetadataDirective="REPLACE",
                   ContentType="text/two", Metadata={"b": "2"})
    head = s3.head_object(Bucket=BUCKET, Key="to")
    assert (head["ContentType"], head["Metadata"]) == ("text/two", {"b": "2"})
    etag = head["ETag"]
    s3.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "from"}, CopySourceIfMatch=etag)
    fails("PreconditionFailed", 412, s3.copy_object, Bucket=BUCKET, Key="to",
          CopySource={"Bucket": BUCKET, "Key": "from"}, CopySourceIfNoneMatch=etag)
    fails("InvalidRequest", 400, s3.copy_object, Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "to"})
    fails("NoSuchKey", 404, s3.copy_object, Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": "none"})


@case
def tags_are_put_read_and_removed():
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"content")
    tags = [{"Key": "project", "Value": "blue & green"}, {"Key": "empty", "Value": ""}]
    s3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == tags
    assert s3.get_object(Bucket=BUCKET, Key="tagged")["TagCount"] == 2
    s3.delete_object_tagging(Bucket=BUCKET, Key="tagged")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == []
    fails("InvalidTag", 400, s3.put_object_tagging, Bucket=BUCKET, Key="tagged",
          Tagging={"TagSet": [{"Key": "same", "Value": "1"}, {"Key": "same", "Value": "2"}]})


@case
def conditional_writes_hold():
    s3.delete_object(Bucket=BUCKET, Key="once")
    etag = s3.put_object(Bucket=BUCKET, Key="once", Body=b"1", IfNoneMatch="*")["ETag"]
    fails("PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="once", Body=b"2", IfNoneMatch="*")
    fails("PreconditionFailed", 412, s3.put_object, Bucket=BUCKET, Key="once", Body=b"2", IfMatch='"0"')
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"3", IfMatch=etag)
    assert s3.get_object(Bucket=BUCKET, Key="once")["Body"].read() == b"3"


@case
def attributes_are_told_as_asked():
    s3.put_object(Bucket=BUCKET, Key="attributes", Body=b"content", ChecksumAlgorithm="SHA256")
    told = s3.get_object_attributes(Bucket=BUCKET, Key="attributes",
                                    ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"])
    assert told["ObjectSize"] == 7 and told["StorageClass"] == "STANDARD"
    assert told["ETag"] == hashlib.md5(b"content").hexdigest()
    assert told["Checksum"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"content").digest()).decode()


@case
def many_objects_are_removed_at_once():
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"many/{number}", Body=b"")
    removed = s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": f"many/{number}"} for number in range(6)]}
    )
    assert len(removed["Deleted"]) == 6 and "Errors" not in removed
    assert keys(Prefix="many/") == []
    quiet = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "many/0"}], "Quiet": True})
    assert "Deleted" not in quiet


@case
def what_is_not_set_is_told_as_aws_tells_it():
    for call, code in [
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
    ]:
        fails(code, 404, call, Bucket=BUCKET)
    fails("NotImplemented", 501, s3.put_bucket_versioning, Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


@case
def presigned_links_of_each_method_work():
    key = "presigned/key +&.txt"
    sign = lambda operation, **more: s3.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": key, **more})
    assert fetch(sign("put_object"), "PUT", b"by link")[0] == 200
    assert fetch(sign("get_object")) == (200, b"by link")
    assert fetch(sign("head_object"), "HEAD")[0] == 200
    assert fetch(sign("get_object"), "HEAD")[0] == 403
    typed = sign("put_object", ContentType="text/x-typed")
    assert fetch(typed, "PUT", b"x", {"Content-Type": "text/other"})[0] == 403
    assert fetch(typed, "PUT", b"x", {"Content-Type": "text/x-typed"})[0] == 200
    assert fetch(sign("put_object"), "PUT", b"x", {"x-amz-copy-source": f"/{BUCKET}/object"})[0] == 403
    assert fetch(sign("delete_object"), "DELETE")[0] == 204
    assert fetch(sign("get_object"))[0] == 404
    listing = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": BUCKET, "MaxKeys": 1})
    assert fetch(listing)[0] == 200


@case
def wrong_secrets_and_tampered_links_are_refused():
    fails("SignatureDoesNotMatch", 403, client(secret="wrong").list_objects_v2, Bucket=BUCKET)
    fails("SignatureDoesNotMatch", 403, client(secret="wrong").put_object, Bucket=BUCKET, Key="never", Body=b"x")
    fails("404", 404, s3.head_object, Bucket=BUCKET, Key="never")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "object"})
    for tampered in [link.replace("/object", "/signed"), link.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"), link + "&x=y"]:
        status, body = fetch(tampered)
        assert (status, b"SignatureDoesNotMatch" in body) == (403, True), tampered.split("?")[0]


@case
def a_bucket_goes_once_it_is_empty():
    fails("BucketNotEmpty", 409, s3.delete_bucket, Bucket=BUCKET)
    while left := keys():
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in left]})
    s3.delete_bucket(Bucket=BUCKET)
    fails("NoSuchBucket", 404, s3.delete_bucket, Bucket=BUCKET)


def main():
    failed = 0
    for function in CASES:
        name = function.__name__.replace("_", " ")
        try:
            function()
            print("ok", name, flush=True)
        except Exception as error:  # every case runs, whatever became of the one before
            failed += 1
            print(f"not ok {name}: {type(error).__name__}: {str(error)[:300]}", flush=True)
    sys.exit(1 if failed else 0)


main()
