"""The write paths of the store, one request each, for tests/faults/calls."""

import dataclasses
from typing import Callable

import s3
from s3 import SPILLS
from support import MIB, content

SMALL, OTHER, LARGE = content(100, "small"), content(150, "other"), content(3 * MIB // 2, "large")
PART = content(5 * MIB, "part")
TAGS = {"x-amz-tagging": "a=1&b=2"}
MANY_TAGS = {f"tag-{at}": "v" * 250 for at in range(10)}
REPLACE = {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-by": "copy",
           "x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "copied=1"}
PATHS = {}


@dataclasses.dataclass
class Request:
    """One request of a write path, on a prepared bucket."""
    send: Callable
    # What it answers where nothing fails, and what a retry may answer besides: the first try may
    # have taken effect.
    status: int = 200
    again: tuple = ()
    keys: tuple = ("a",)
    # What is done after a failure in place of a retry: returns what is wrong then.
    then: Callable | None = None


@dataclasses.dataclass
class Path:
    name: str
    prepare: Callable
    # A bucket without anything in it: the request makes the store's own folders.
    fresh: bool = False
    # The bucket is made by the request itself.
    makes_bucket: bool = False


def path(name, **more):
    def register(prepare):
        PATHS[name] = Path(name, prepare, **more)
        return prepare
    return register


def simple(name, method, key="a", body=None, before=(), query=(), headers=(), fresh=False, **more):
    """A path of one request after some PUTs: pairs of key and headers."""
    def prepare(bucket):
        for at, said in before:
            bucket.good(bucket.ask("PUT", at, OTHER, headers=said))
        return Request(
            lambda: bucket.ask(method, key, body, query=query, headers=headers), **more)
    PATHS[name] = Path(name, prepare, fresh)


def furnish(bucket):
    """Puts what no request on `a` may touch into a bucket."""
    bucket.put("kept", SMALL, **TAGS)
    bucket.put("spilled", OTHER, **SPILLS)
    bucket.put("nest/kept", OTHER)


TWO = [("a", {}), ("b/c", SPILLS)]
NEVER = '"00000000000000000000000000000000"'
# What a condition says of a retry: the first try may have changed what it asks for.
SAID = {"again": (412,)}

simple("PUT small", "PUT", body=SMALL, headers=TAGS)
simple("PUT over 1 MiB", "PUT", body=LARGE)
simple("PUT spilled", "PUT", body=SMALL, headers=SPILLS)
simple("PUT into an empty bucket", "PUT", body=SMALL, fresh=True)
simple("PUT spilled into an empty bucket", "PUT", body=SMALL, headers=SPILLS, fresh=True)
simple("PUT into new folders", "PUT", "x/y/z", SMALL, keys=("x/y/z",))
simple("PUT into a folder that is there", "PUT", "nest/new", SMALL, keys=("nest/new",))
simple("PUT a/b beside a", "PUT", "a/b", SMALL, [("a", TAGS)], keys=("a", "a/b"))
simple("PUT a/b/c beside a/b spilled", "PUT", "a/b/c", SMALL, [("a/b", SPILLS)],
       keys=("a/b", "a/b/c"))
simple("PUT a beside a/b", "PUT", "a", SMALL, [("a/b", {})], keys=("a", "a/b"))
simple("PUT over plain", "PUT", body=SMALL, before=[("a", TAGS)])
simple("PUT plain over spilled", "PUT", body=SMALL, before=[("a", SPILLS)])
simple("PUT spilled over plain", "PUT", body=SMALL, headers=SPILLS, before=[("a", TAGS)])
simple("PUT spilled over spilled", "PUT", body=SMALL, headers={**SPILLS, **TAGS},
       before=[("a", SPILLS)])
simple("PUT if absent", "PUT", body=SMALL, headers={"if-none-match": "*"}, **SAID)
simple("PUT if there", "PUT", body=SMALL, headers={"if-match": "*"}, before=[("a", {})])
simple("PUT refused, there", "PUT", body=SMALL, headers={"if-none-match": "*"},
       before=[("a", TAGS)], status=412)
simple("PUT refused, spilled, there", "PUT", body=SMALL, headers={"if-none-match": "*", **SPILLS},
       before=[("a", SPILLS)], status=412)
simple("PUT refused, another ETag", "PUT", body=LARGE, headers={"if-match": NEVER, **SPILLS},
       before=[("a", TAGS)], status=412)
simple("PUT refused, absent", "PUT", body=SMALL, headers={"if-match": NEVER}, status=404)
simple("DELETE", "DELETE", before=[("a", TAGS)], status=204)
simple("DELETE spilled", "DELETE", before=[("a", SPILLS)], status=204)
simple("DELETE in folders of its own", "DELETE", "x/y/z", before=[("x/y/z", {})], status=204,
       keys=("x/y/z",))
simple("DELETE beside another", "DELETE", "nest/a", before=[("nest/a", {})], status=204,
       keys=("nest/a",))
simple("DELETE a beside a/b", "DELETE", "a", before=[("a", SPILLS), ("a/b", {})], status=204,
       keys=("a", "a/b"))
simple("DELETE a/b beside a", "DELETE", "a/b", before=[("a", SPILLS), ("a/b", {})], status=204,
       keys=("a", "a/b"))
simple("DELETE of nothing", "DELETE", status=204)
simple("DELETE refused, another ETag", "DELETE", headers={"if-match": NEVER},
       before=[("a", SPILLS)], status=412)
# The one with a record first: what is not synced then is its folder alone.
DELETION = s3.deletion(["b/c", "a", "none"])
simple("DeleteObjects", "POST", None, DELETION, TWO, {"delete": ""}, s3.md5(DELETION),
       keys=("a", "b/c"))
simple("PutObjectTagging", "PUT", body=s3.tagging({"c": "3"}), before=[("a", TAGS)],
       query={"tagging": ""})
simple("PutObjectTagging of spilled", "PUT", body=s3.tagging({"c": "3"}), before=[("a", SPILLS)],
       query={"tagging": ""})
simple("PutObjectTagging that spills", "PUT", body=s3.tagging(MANY_TAGS), query={"tagging": ""},
       before=[("a", {"x-amz-meta-pad": "p" * 1900})])
simple("DeleteObjectTagging", "DELETE", before=[("a", TAGS)], query={"tagging": ""}, status=204)
simple("DeleteObjectTagging of spilled", "DELETE", before=[("a", {**SPILLS, **TAGS})],
       query={"tagging": ""}, status=204)
simple("PutBucketCors", "PUT", None, s3.CORS, query={"cors": ""})
simple("DeleteBucketCors of none", "DELETE", None, query={"cors": ""}, status=204)


@path("PutBucketCors over another")
def _(bucket):
    bucket.good(bucket.ask("PUT", body=s3.CORS, query={"cors": ""}))
    return Request(lambda: bucket.ask("PUT", body=s3.CORS + b"\n", query={"cors": ""}))


@path("DeleteBucketCors")
def _(bucket):
    bucket.good(bucket.ask("PUT", body=s3.CORS, query={"cors": ""}))
    return Request(lambda: bucket.ask("DELETE", query={"cors": ""}), 204)


def copying(name, source="kept", headers=(), key="a", before=(), large=False, **more):
    def prepare(bucket):
        if large:
            bucket.put("kept", LARGE, **TAGS)
        for at, said in before:
            bucket.good(bucket.ask("PUT", at, OTHER, headers=said))
        told = {"x-amz-copy-source": f"/{bucket.name}/{source}", **dict(headers)}
        return Request(lambda: bucket.ask("PUT", key, headers=told), keys=(key,), **more)
    PATHS[name] = Path(name, prepare)


copying("CopyObject")
copying("CopyObject over 1 MiB", large=True)
copying("CopyObject of spilled, over spilled", "spilled", before=[("a", SPILLS)])
copying("CopyObject in place", "a", REPLACE, before=[("a", TAGS)])
copying("CopyObject in place, spilled", "a", {**REPLACE, **SPILLS}, before=[("a", SPILLS)])
copying("CopyObject refused, there", headers={"if-none-match": "*", **REPLACE, **SPILLS},
        before=[("a", TAGS)], status=412)


def beginning(name, headers=(), fresh=False):
    def prepare(bucket):
        return Request(lambda: bucket.ask("POST", "a", query={"uploads": ""}, headers=headers))
    PATHS[name] = Path(name, prepare, fresh)


beginning("CreateMultipartUpload", TAGS)
beginning("CreateMultipartUpload in an empty bucket", SPILLS, fresh=True)


@path("UploadPart")
def _(bucket):
    query = {"partNumber": 1, "uploadId": bucket.begin("a")}
    return Request(lambda: bucket.ask("PUT", "a", LARGE, query=query))


@path("UploadPart over another")
def _(bucket):
    query = {"partNumber": 1, "uploadId": bucket.begin("a")}
    bucket.good(bucket.ask("PUT", "a", SMALL, query=query))
    return Request(lambda: bucket.ask("PUT", "a", OTHER, query=query))


@path("UploadPartCopy")
def _(bucket):
    query = {"partNumber": 1, "uploadId": bucket.begin("a")}
    told = {"x-amz-copy-source": f"/{bucket.name}/kept"}
    return Request(lambda: bucket.ask("PUT", "a", query=query, headers=told))


def others_write(bucket, complete):
    """Other clients go on with an object whose completion failed: it takes effect once at most."""
    if bucket.object("a") is None:
        return
    bucket.good(bucket.ask("PUT", "a", s3.tagging({"by": "another"}), {"tagging": ""}))
    before = bucket.object("a")
    answer = complete(ABSENT)
    if answer.status not in (200, 404, 412):
        yield f"a completion of what is there is answered with {answer.said}"
    if bucket.object("a") != before:
        yield f"a completion that is answered with {answer.said} changes the object of before: " \
              f"tags {bucket.object('a')['tags']}"
    bucket.put("a", OTHER)
    before = bucket.object("a")
    answer = complete({})
    if bucket.object("a") != before:
        yield f"a repeated completion, {answer.said}, takes another client's object away"


def completing(name, parts, said=(), headers=(), before=(), done=False, key="a", then=False,
               **more):
    def prepare(bucket):
        for at, told in before:
            bucket.good(bucket.ask("PUT", at, OTHER, headers=told))
        upload = bucket.begin(key, said)
        body = s3.completion([bucket.part(key, upload, at, part) for at, part in parts])
        query = {"uploadId": upload}

        def send(headers=headers):
            return bucket.ask("POST", key, body, query=query, headers=headers)
        if done:
            bucket.good(send())
        after = (lambda: others_write(bucket, send)) if then else None
        return Request(send, keys=(key,), then=after, **more)
    PATHS[name] = Path(name, prepare)


ONE, SEVERAL = [(1, SMALL)], [(1, PART), (2, OTHER)]
ABSENT = {"if-none-match": "*"}
completing("Complete of one part", ONE, TAGS)
completing("Complete of one part, spilled, over spilled", ONE, SPILLS, before=[("a", SPILLS)])
completing("Complete of one part into new folders", ONE, key="x/y/z")
completing("Complete of several parts", SEVERAL, TAGS)
completing("Complete of several parts, spilled, over plain", SEVERAL, SPILLS, before=[("a", TAGS)])
completing("Complete of one part, then others write", ONE, TAGS, then=True)
completing("Complete of several parts, then others write", SEVERAL, SPILLS, then=True)
completing("Complete again", ONE, TAGS, done=True)
completing("Complete again, spilled", ONE, SPILLS, done=True)
completing("Complete if absent", ONE, headers=ABSENT)
completing("Complete of one part refused, there", ONE, SPILLS, ABSENT, [("a", TAGS)], status=412)
completing("Complete of several refused, there", SEVERAL, TAGS, ABSENT, [("a", SPILLS)],
           status=412)


@path("AbortMultipartUpload")
def _(bucket):
    upload = bucket.begin("a", SPILLS)
    bucket.part("a", upload, 1, SMALL)
    bucket.part("a", upload, 101, OTHER)
    return Request(lambda: bucket.ask("DELETE", "a", query={"uploadId": upload}), 204, (404,))


@path("CreateBucket", fresh=True, makes_bucket=True)
def _(bucket):
    return Request(lambda: bucket.ask("PUT"), keys=())


@path("CreateBucket of one that is there")
def _(bucket):
    return Request(lambda: bucket.ask("PUT"), keys=())


@path("DeleteBucket", fresh=True)
def _(bucket):
    furnish(bucket)
    for key in ["kept", "spilled", "nest/kept"]:
        bucket.good(bucket.ask("DELETE", key))
    bucket.good(bucket.ask("PUT", body=s3.CORS, query={"cors": ""}))
    return Request(lambda: bucket.ask("DELETE"), 204, (404,), ())
