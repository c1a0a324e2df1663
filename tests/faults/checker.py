"""Compares a store after a crash with what clients were told before it: see promises.py."""

import hashlib
import http.client
import os
import pathlib
import re

import litter
from promises import BUCKET, Object, found_tags
from support import expect, until

# How long an answer may take, and the sweep of a small store. A busy machine is slow.
SECONDS = 60


class Checker:
    """Checks every promise of a history that ended at `moment`, through a gateway on the store."""

    def __init__(self, gateway, history, moment, tidy=True):
        self.gateway, self.history, self.moment = gateway, history, moment
        # Is it a promise here that the store is tidy: that no litter is left?
        self.tidy = tidy
        self.connection = gateway.connect(SECONDS)
        self.promises, self.broken = 0, []

    def ask(self, *arguments, **more):
        return self.gateway.ask(*arguments, connection=self.connection, **more)

    def check(self):
        """Returns the promises that are broken."""
        self.holds(self.buckets)
        objects = self.holds(self.objects)
        uploads = self.holds(self.uploads)
        if objects is not None and uploads is not None:
            self.holds(self.completions, objects, uploads)
            self.holds(self.listing, objects)
            if self.tidy:
                self.holds(self.leaves_no_litter, uploads)
                self.holds(self.can_be_emptied, objects, uploads)
        self.connection.close()
        return self.broken

    def holds(self, check, *arguments):
        try:
            return check(*arguments)
        except AssertionError as error:
            self.broken.append(str(error))
        except (OSError, http.client.HTTPException) as error:
            self.broken.append(f"{check.__name__}: no answer: {error!r}")
            self.connection.close()
        return None

    def promised(self, subject, holds, found):
        """Checks that one of the possible states of a subject holds."""
        possible = self.history.possible(subject, self.moment)
        self.promises += 1
        if not any(holds(state) for state, _ in possible):
            wanted = " or ".join(f"[{what}: {state}]" for state, what in possible)
            self.broken.append(f"{' '.join(subject)} is {found}, and not {wanted}")

    def subjects(self, kind):
        return [name for what, name in list(self.history.steps) if what == kind]

    def buckets(self):
        answer = self.ask("GET", None, bucket=None)
        expect(answer.status, 200, "ListBuckets")
        found = {name.decode() for name in re.findall(rb"<Name>([^<]*)</Name>", answer.body)}
        expect(found - {BUCKET} <= set(self.subjects("bucket")), True, f"buckets {found}")
        assert BUCKET in found, f"the bucket {BUCKET} is gone: {found}"
        for name in self.subjects("bucket"):
            there = True if name in found else None
            self.promised(("bucket", name), lambda state: state == there, f"there: {there}")

    def objects(self):
        objects = {}
        for key in self.subjects("object"):
            found = self.object(key)
            self.promised(("object", key),
                          lambda state: found.same_as(state), f"[{found}]")
            objects[key] = found.object
        return objects

    def object(self, key):
        answer = self.ask("GET", key)
        if answer.status == 404:
            expect(answer.code, "NoSuchKey", f"GET {key}")
            return Found(None)
        expect(answer.said, "200", f"GET {key}")
        assert not answer.broken, f"GET {key} broke off"
        tags = self.ask("GET", key, query={"tagging": ""})
        expect(tags.status, 200, f"tags of {key}")
        tags = found_tags(tags)
        count = int(answer.headers.get("x-amz-tagging-count", "0"))
        expect(count, len(tags), f"x-amz-tagging-count of {key}")
        prefix = "x-amz-meta-"
        metadata = tuple(sorted((name.removeprefix(prefix), value)
                                for name, value in answer.headers.items() if prefix in name))
        return Found(Object(
            hashlib.sha256(answer.body).hexdigest(), len(answer.body),
            answer.headers["content-type"], metadata, tags, answer.headers["etag"].strip('"')))

    def uploads(self):
        """Checks the multipart uploads, and returns the IDs of those that are there."""
        answer = self.ask("GET", None, query={"uploads": ""})
        expect(answer.status, 200, "ListMultipartUploads")
        pattern = rb"<Upload>.*?<Key>([^<]*)</Key>.*?<UploadId>([^<]*)</UploadId>"
        there = {id_.decode(): key.decode() for key, id_ in re.findall(pattern, answer.body, re.S)}
        for id_, key in there.items():
            if ("upload", id_) in self.history.steps:
                continue
            raise AssertionError(f"an upload of {key} that never began: {id_}")
        for id_ in self.subjects("upload"):
            state = (there[id_], self.parts(there[id_], id_)) if id_ in there else None
            self.promised(("upload", id_), lambda wanted: wanted == state, f"[{state}]")
        return there

    def parts(self, key, id_):
        answer = self.ask("GET", key, query={"uploadId": id_})
        expect(answer.said, "200", f"ListParts of {key}")
        parts = re.findall(rb"<Part>(.*?)</Part>", answer.body, re.S)

        def element(part, name):
            found = re.search(rb"<%s>([^<]*)</%s>" % (name, name), part)[1].decode()
            return found.replace("&quot;", "").strip('"')

        return tuple((int(element(part, b"PartNumber")), int(element(part, b"Size")),
                      element(part, b"ETag")) for part in parts)

    def completions(self, objects, uploads):
        """An upload whose object is there has ended, and one that has ended has its object."""
        for id_, key, step in self.history.completed:
            if not step.begun < self.moment <= step.answered:
                continue
            is_new = objects.get(key) is not None and step.state.same(objects[key])
            self.promises += 1
            if is_new == (id_ in uploads):
                self.broken.append(
                    f"{step.what}: the object is {'new' if is_new else 'old'}, and the upload is "
                    f"{'there' if id_ in uploads else 'gone'}")

    def listing(self, objects):
        answer = self.ask("GET", None, query={"list-type": "2"})
        expect(answer.status, 200, "ListObjectsV2")
        pattern = (rb"<Contents>.*?<Key>([^<]*)</Key>.*?<ETag>([^<]*)</ETag>"
                   rb".*?<Size>([^<]*)</Size>")
        listed = {key.decode(): (etag.replace(b"&quot;", b"").strip(b'"').decode(), int(size))
                  for key, etag, size in re.findall(pattern, answer.body, re.S)}
        there = {key: (found.etag, found.size) for key, found in objects.items() if found}
        expect(listed, there, "the listing, compared with GETs")

    def leaves_no_litter(self, uploads):
        """Waits until what the crash left is removed: it may be removed in the background."""
        self.promises += 1
        left = []

        def is_gone():
            left[:] = self.litter(uploads)
            return not left

        try:
            until("the litter is gone", is_gone, SECONDS / 2)
        except AssertionError:
            raise AssertionError(f"litter: {sorted(left)}") from None

    def litter(self, uploads):
        """Returns the internal files that belong to nothing."""
        root = self.gateway.root / BUCKET
        found, records, named = [], set(), set()
        for folder, _, files in os.walk(root):
            inside = os.path.relpath(folder, root)
            for name in files:
                path = os.path.normpath(os.path.join(inside, name))
                top = path.split("/")[0]
                if top == "~!metadata":
                    records.add(name)
                elif top == "~!uploads":
                    if path.split("/")[1] not in uploads:
                        found.append(path)
                elif top.startswith("~!"):
                    found.append(path)
                elif name.startswith("~!"):
                    found.append(path)
                else:
                    named |= record_of(os.path.join(folder, name))
            if inside.startswith(("~!tmp/", "~!uploads/")) and inside.count("/") == 1:
                if inside.split("/")[1] not in uploads:
                    found.append(inside)
        found += [f"~!metadata/{name}" for name in records - named]
        return found

    def can_be_emptied(self, objects, uploads):
        """Nothing but objects keeps a bucket from being removed."""
        for key, found in objects.items():
            if found:
                expect(self.ask("DELETE", key).status, 204, f"DELETE {key}")
        for id_, key in uploads.items():
            expect(self.ask("DELETE", key, query={"uploadId": id_}).status, 204, f"abort {key}")
        expect(self.ask("DELETE", None).said, "204", "DeleteBucket of the empty bucket")


class Found:
    """An object as a GET found it, or none."""

    def __init__(self, object_):
        self.object = object_

    def same_as(self, state):
        if state is None or self.object is None:
            return state is None and self.object is None
        return state.same(self.object)

    def __str__(self):
        return str(self.object)


def record_of(file):
    """Returns the name of an object's spilled record, in a set; an empty set if it has none."""
    file = pathlib.Path(file)
    name = litter.record_name(file, litter.attribute(file))
    return {name} if name else set()
