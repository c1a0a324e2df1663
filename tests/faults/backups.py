"""Faults of clocks and copies: whole-second times, backups, lost records. See tests/faults/run."""

import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import time

from support import MIB, Gateway, Skip, content, expect, fault, mount

# A signer that may not read what bears the tag class=secret.
READER = ("AKIAREADER0000000000", "reader-secret")
DENIES_BY_TAG = f"""
[[signer]]
name = 'reader'
access_key_id = '{READER[0]}'
secret_access_key = '{READER[1]}'
[[signer.statement]]
Effect = 'Allow'
Action = 's3:*'
Resource = '*'
[[signer.statement]]
Effect = 'Deny'
Action = 's3:GetObject'
Resource = '*'
[signer.statement.Condition]
StringEquals = {{ 's3:ExistingObjectTag/class' = 'secret' }}
"""
# With nine more tags of this length the record does not fit into an attribute.
TAGS = "class=secret&" + "&".join(f"tag{n:0124}={n}{'v' * 250}" for n in range(9))
SAID = {"content-type": "text/x-test", "cache-control": "no-cache", "x-amz-meta-who": "me"}
TOLD = ["content-type", "cache-control", "x-amz-meta-who", "etag", "content-length",
        "x-amz-tagging-count", "x-amz-mp-parts-count"]


def ext4(folder, *options):
    """Makes an ext4 file system and mounts it on a new folder."""
    image = folder.with_suffix(".image")
    with open(image, "wb") as file:
        file.truncate(64 * MIB)
    if not shutil.which("mkfs.ext4"):
        raise Skip("no mkfs.ext4 here")
    subprocess.run(["mkfs.ext4", "-q", *options, str(image)], check=True, capture_output=True)
    folder.mkdir(parents=True)
    mount("-o", "loop", image, folder)


@fault
def times_in_whole_seconds(folder):
    """The file system's clock has whole seconds, and objects are replaced within one of them."""
    ext4(folder / "data", "-I", "128")
    with Gateway(folder) as gateway:
        for round_ in range(5):
            # From the beginning of a second, so that all of it fits into that one.
            time.sleep(1.02 - time.time() % 1)
            bodies = [bytes([65 + n]) * (1000 * (n + 1)) for n in range(3)]
            etags = [f'"{hashlib.md5(body).hexdigest()}"' for body in bodies]
            kinds = [f"test/{n}" for n in range(3)]
            for n, (body, kind) in enumerate(zip(bodies, kinds)):
                answer = gateway.put("a", body, headers={"content-type": kind})
                expect(answer.status, 200, "PUT")
                if n == 0:
                    # Long enough for what a GET finds to be remembered.
                    time.sleep(0.2)
                    expect(gateway.get("a").body, body, "the first GET")
                    gateway.ask("GET", None, query={"list-type": "2"})
            answer = gateway.get("a")
            told = [answer.headers[name] for name in ["content-length", "content-type", "etag"]]
            expect(told, ["3000", kinds[2], etags[2]], f"round {round_}, what GET tells")
            expect((answer.broken, answer.body), (False, bodies[2]), "what GET returns")
            unchanged = gateway.get("a", headers={"if-none-match": etags[0]})
            expect(unchanged.status, 200, "If-None-Match with the first ETag")
            listed = gateway.ask("GET", None, query={"list-type": "2"})
            size, etag = listed.element("Size"), listed.element("ETag").replace("&quot;", '"')
            expect((size, etag), ("3000", etags[2]), "the listing")
    return "always the attributes of the newest object"


def store_with_a_spilled_record(gateway):
    """Uploads an object whose record is spilled: in two parts, with SHA-256, and many tags."""
    headers = {**SAID, "x-amz-tagging": TAGS, "x-amz-checksum-algorithm": "SHA256"}
    answer = gateway.ask("POST", "spilled", query={"uploads": ""}, headers=headers)
    expect(answer.status, 200, "CreateMultipartUpload")
    id_, parts = answer.element("UploadId"), ""
    for number, size in [(1, 5 * MIB), (2, 1000)]:
        body = content(size, number)
        query = {"partNumber": number, "uploadId": id_}
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        more = {"x-amz-checksum-sha256": checksum}
        answer = gateway.put("spilled", body, query=query, headers=more)
        expect(answer.said, "200", "UploadPart")
        parts += (f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.headers['etag']}</ETag>"
                  f"<ChecksumSHA256>{checksum}</ChecksumSHA256></Part>")
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    answer = gateway.ask("POST", "spilled", body, query={"uploadId": id_})
    expect(answer.said, "200", "CompleteMultipartUpload")
    expect(gateway.put("small", b"small", headers=SAID).status, 200, "PUT of a small object")


def told(gateway):
    """Returns what a store tells of its objects, and what it denies."""
    found = {}
    for key in ["spilled", "small"]:
        answer = gateway.get(key)
        head = gateway.ask("HEAD", key, query={"partNumber": 1})
        found[key] = {
            "answer": answer.said, "head": head.said, "body": hashlib.md5(answer.body).hexdigest(),
            "tags": gateway.ask("GET", key, query={"tagging": ""}).body,
            **{name: answer.headers.get(name) for name in TOLD},
            "parts": head.headers.get("x-amz-mp-parts-count")}
    found["denied"] = gateway.get("spilled", keys=READER).said
    return found


@contextlib.contextmanager
def serving(folder, name, root):
    home = folder / name
    home.mkdir(exist_ok=True)
    with Gateway(home, root=root, bucket=None, policy=DENIES_BY_TAG) as gateway:
        yield gateway


def original(folder):
    """Makes a store at rest. Returns its folder, and what it tells."""
    (folder / "data/abc").mkdir(parents=True)
    with serving(folder, "first", folder / "data") as gateway:
        store_with_a_spilled_record(gateway)
        wanted = told(gateway)
        expect(wanted["denied"], "403 AccessDenied", "GET that the tag denies")
        expect(wanted["spilled"]["parts"], "2", "parts of the object")
    records = list((folder / "data/abc/~!metadata").iterdir())
    expect(len(records), 1, "spilled records")
    return folder / "data", wanted


def copied(folder, command, needs):
    """Copies a store at rest, starts a gateway on the copy twice, and compares what it tells."""
    source, wanted = original(folder)
    if not shutil.which(needs):
        raise Skip(f"no {needs} here")
    copy = folder / "copy"
    copy.mkdir()
    try:
        os.setxattr(copy, "user.test", b"")
    except OSError as error:
        raise Skip(f"no extended attributes here: {error}") from error
    subprocess.run(["sh", "-ec", command.format(source=source, copy=copy)], check=True)
    for start in ["first", "second"]:
        with serving(folder, "other", copy) as gateway:
            found = told(gateway)
            expect(found["denied"], wanted["denied"], f"the denied GET after the {start} start")
            for key in ["spilled", "small"]:
                expect(found[key], wanted[key], f"{key} after the {start} start of the copy")
    return "type, ETag, metadata, tags and denials are those of the original"


@fault
def store_copied_by_cp(folder):
    """A store at rest is copied by `cp -a`."""
    return copied(folder, "cp -a {source}/. {copy}", "cp")


@fault
def store_copied_by_rsync(folder):
    """A store at rest is copied by `rsync -aX`."""
    return copied(folder, "rsync -aX {source}/ {copy}", "rsync")


@fault
def store_copied_by_tar(folder):
    """A store at rest is packed and unpacked by `tar --xattrs`."""
    pack = "tar --xattrs -C {source} -cf {copy}.tar ."
    return copied(folder, f"{pack}; tar --xattrs --xattrs-include='*' -C {{copy}} -xf {{copy}}.tar",
                  "tar")


def is_not_silent(gateway):
    """An object without its record is an error, which is named; what its tags deny is denied."""
    answers = [gateway.get("spilled"), gateway.ask("HEAD", "spilled")]
    expect([answer.status for answer in answers], [500, 500], "GET and HEAD without the record")
    expect(answers[0].code, "InternalError", "the code of GET")
    expect(gateway.get("spilled", keys=READER).status, 403, "GET that the tag denies")
    errors = [line for line in gateway.logged().splitlines() if "ERROR" in line]
    assert any("spilled" in line for line in errors), f"no ERROR names the object: {errors}"
    expect(gateway.get("small").said, "200", "GET of another object")
    checked = gateway.command("check")
    said = checked.stdout + checked.stderr
    assert "spilled" in said, f"postern check does not name the object: {said}"


@fault
def record_of_an_object_is_lost(folder):
    """The spilled record of an object is removed by hand, while its attribute names it."""
    data, _ = original(folder)
    [record] = (data / "abc/~!metadata").iterdir()
    record.unlink()
    with serving(folder, "first", data) as gateway:
        is_not_silent(gateway)
        expect(gateway.put("spilled", b"new").status, 200, "PUT over it")
        expect(gateway.get("spilled").body, b"new", "GET after")
    return "500 InternalError, named in the log and by check; 403 where a tag denies"


@fault
def times_cut_by_a_backup(folder):
    """A copy has whole-second times: its records are recognised, or the object is an error."""
    data, wanted = original(folder)
    for file in data.rglob("*"):
        if file.is_file():
            at = int(file.stat().st_mtime) * 1_000_000_000
            os.utime(file, ns=(at, at))
    with serving(folder, "first", data) as gateway:
        found = told(gateway)
        expect(found["denied"], "403 AccessDenied", "GET that the tag denies")
        if found["spilled"] == wanted["spilled"] and found["small"] == wanted["small"]:
            return "recognised: everything is as before"
        is_not_silent(gateway)
    return "500 InternalError, named in the log and by check"
