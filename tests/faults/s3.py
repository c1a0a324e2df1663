"""What the tests ask of a gateway: the operations of S3 that change objects, and what a client
sees of a bucket afterwards."""

import base64
import hashlib
import html
import re

SPILLS = {"x-amz-meta-pad": "p" * 1900, "content-disposition": "attachment; filename=" + "f" * 1500}


def tag_query(tags):
    return "&".join(f"{name}={value}" for name, value in tags.items())


def tagging(tags):
    each = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags.items())
    return f"<Tagging><TagSet>{each}</TagSet></Tagging>".encode()


def deletion(keys):
    each = "".join(f"<Object><Key>{html.escape(key)}</Key></Object>" for key in keys)
    return f"<Delete>{each}</Delete>".encode()


def completion(etags):
    each = "".join(f"<Part><PartNumber>{at}</PartNumber><ETag>{etag}</ETag></Part>"
                   for at, etag in enumerate(etags, 1))
    return f"<CompleteMultipartUpload>{each}</CompleteMultipartUpload>".encode()


def md5(body):
    return {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}


CORS = (b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>"
        b"<AllowedOrigin>https://example.com</AllowedOrigin></CORSRule></CORSConfiguration>")


class Bucket:
    """A bucket of a gateway. Its requests have a connection of their own, unless one is given."""

    def __init__(self, gateway, name, connection=None):
        self.gateway, self.name, self.connection = gateway, name, connection
        self.path = gateway.root / name

    def ask(self, method, key=None, body=None, query=(), headers=()):
        answer = self.gateway.ask(method, key, body, query=query, headers=headers,
                                  bucket=self.name, connection=self.connection)
        # The gateway ends a connection after some errors.
        if self.connection and (answer.broken or answer.status >= 400):
            self.connection.close()
        return answer

    def put(self, key, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.good(self.ask("PUT", key, body, headers=headers))

    def good(self, answer):
        assert answer.status in (200, 204), answer.said
        return answer

    def begin(self, key, headers=()):
        answer = self.good(self.ask("POST", key, query={"uploads": ""}, headers=headers))
        return answer.element("UploadId")

    def part(self, key, upload, number, body):
        query = {"partNumber": number, "uploadId": upload}
        return self.good(self.ask("PUT", key, body, query=query)).headers["etag"]

    def uploads(self):
        """Returns the uploads that are listed: pairs of key and ID."""
        answer = self.good(self.ask("GET", query={"uploads": ""}))
        pattern = rb"<Upload>.*?<Key>(.*?)</Key>.*?<UploadId>(.*?)</UploadId>"
        return sorted((key.decode(), upload.decode())
                      for key, upload in re.findall(pattern, answer.body, re.DOTALL))

    def listed(self):
        """Returns the listing: size and ETag of each key."""
        answer = self.good(self.ask("GET", query={"list-type": 2}))
        pattern = rb"<Contents>.*?<Key>(.*?)</Key>.*?<ETag>(.*?)</ETag>.*?<Size>(.*?)</Size>"
        found = re.findall(pattern, answer.body, re.DOTALL)
        return {html.unescape(key.decode()): (html.unescape(etag.decode()), int(size))
                for key, etag, size in found}

    def object(self, key, with_tags=True):
        """Returns all that a client sees of an object, or None."""
        answer = self.ask("GET", key)
        if answer.said == "404 NoSuchKey":
            return None
        assert answer.status == 200 and not answer.broken, f"GET {key}: {answer.said}"
        told = answer.headers
        count, pairs = int(told.get("x-amz-tagging-count", 0)), []
        if with_tags:
            tags = self.ask("GET", key, query={"tagging": ""})
            assert tags.status == 200, f"GET {key}?tagging: {tags.said}"
            pairs = re.findall(rb"<Key>(.*?)</Key><Value>(.*?)</Value>", tags.body)
            assert len(pairs) == count, f"{key} has {count} tags, and GetObjectTagging {pairs}"
        digest = hashlib.sha256(answer.body).hexdigest()[:12]
        return {"bytes": (len(answer.body), digest), "tag count": count,
                "etag": told["etag"], "type": told["content-type"],
                "disposition": len(told.get("content-disposition", "")),
                "metadata": {name: value for name, value in sorted(told.items())
                             if name.startswith("x-amz-meta-")},
                "tags": sorted((key.decode(), value.decode()) for key, value in pairs)}

    def seen(self, keys):
        """Returns what a client sees of a bucket: its objects, uploads and CORS rules."""
        if self.ask("HEAD").status == 404:
            return {"bucket": False}
        # For the other keys the number of tags is enough.
        listed = self.listed()
        found = {"bucket": True, "cors": self.ask("GET", query={"cors": ""}).status}
        for key in sorted({*keys, *listed}):
            found[f"object {key}"] = self.object(key, key in keys)
        there = {key: (found[f"object {key}"]["etag"], found[f"object {key}"]["bytes"][0])
                 for key in sorted({*keys, *listed}) if found[f"object {key}"]}
        assert there == listed, f"the listing is {listed}, and GET finds {there}"
        for key, upload in self.uploads():
            parts = self.ask("GET", key, query={"uploadId": upload})
            names = re.findall(rb"<PartNumber>(\d+)</PartNumber>", parts.body)
            found.setdefault(f"uploads of {key}", []).append([int(name) for name in names])
        for value in found.values():
            if isinstance(value, list):
                value.sort()
        return found

    def emptied(self):
        """Removes all of it through the API, and returns what DeleteBucket answers."""
        for key, upload in self.uploads():
            self.good(self.ask("DELETE", key, query={"uploadId": upload}))
        for key in self.listed():
            self.good(self.ask("DELETE", key))
        return self.ask("DELETE")
