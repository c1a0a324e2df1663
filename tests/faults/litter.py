"""Looks at a store's folders from outside, for what a request or a kill left behind."""

import errno
import json
import os
import pathlib

OBJECT_OF_FOLDER = "~@"
ATTRIBUTE = "user.postern"


def own(path):
    return path.name.startswith("~!")


def objects(bucket):
    """Yields the file of each object."""
    for folder, folders, files in os.walk(bucket):
        folders[:] = [name for name in folders if not name.startswith("~!")]
        yield from (pathlib.Path(folder) / name for name in files if not name.startswith("~!"))


def attribute(path):
    """Returns an object's attribute as JSON; None if it has none."""
    try:
        return json.loads(os.getxattr(path, ATTRIBUTE))
    except (OSError, ValueError):
        return None


def record_name(path, kept):
    """Returns the name of an object's spilled record; None if the record is in the attribute."""
    if not kept or "spilled" not in kept:
        return None
    if "record" in kept:
        return kept["record"]
    # Store format 1 names a record by its file.
    state = path.stat()
    return f"{state.st_ino:x}-{state.st_size:x}-{state.st_mtime_ns:x}"


def upload_of(bucket, path):
    """Returns the ID of the multipart upload that an object came by, or None."""
    kept = attribute(path)
    name = record_name(path, kept)
    if name:
        try:
            kept = json.loads((bucket / "~!metadata" / name).read_bytes())
        except (OSError, ValueError):
            return None
    return ((kept or {}).get("parts") or {}).get("upload_id")


def has_attributes(bucket):
    """Whether the bucket's file system keeps extended attributes."""
    try:
        os.listxattr(bucket)
        os.getxattr(bucket, ATTRIBUTE)
    except OSError as error:
        return error.errno == errno.ENODATA
    return True


def described(bucket, records):
    """Returns the records that say which object they are of, and that object is there.

    Without extended attributes nothing else tells that they belong together.
    """
    found = {}
    for name in records:
        try:
            kept = json.loads((bucket / "~!metadata" / name).read_bytes())
        except (OSError, ValueError):
            continue
        for path in [bucket / kept["key"], bucket / kept["key"] / OBJECT_OF_FOLDER]:
            if path.is_file():
                state = path.stat()
                if (state.st_size, state.st_mtime_ns) == (kept["size"], kept["modified"]):
                    found[name] = path
    return found


def entries(folder):
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def empty_folders(bucket):
    """Yields the folders that no object needs."""
    for folder in sorted(path for path in bucket.rglob("*") if path.is_dir()):
        inner = folder.relative_to(bucket)
        if inner.parts[0].startswith("~!"):
            continue
        if not any(True for _ in objects(folder)):
            yield str(inner)


def litter(bucket):
    """Returns what does not belong into a bucket that no request is changing, one line each."""
    found = []
    found += [f"temporary: {path.name}" for path in entries(bucket / "~!tmp")]
    files = list(objects(bucket))
    records = {path.name for path in entries(bucket / "~!metadata")}
    if has_attributes(bucket):
        named = {record_name(path, attribute(path)): path for path in files}
        named.pop(None, None)
    else:
        named = described(bucket, records)
    found += [f"record without an object: {name}" for name in sorted(records - named.keys())]
    found += [f"object without its record: {named[name].relative_to(bucket)}"
              for name in sorted(named.keys() - records)]
    found += [f"folder without an object: {name}" for name in empty_folders(bucket)]
    completed = {upload_of(bucket, path) for path in files}
    for upload in entries(bucket / "~!uploads"):
        if upload.name in completed:
            found.append(f"upload whose object is there: {upload.name}")
        if not (upload / "upload.json").exists():
            found.append(f"upload without a description: {upload.name}")
    found += [f"of the store's own, in a folder of objects: {path.relative_to(bucket)}"
              for path in bucket.rglob("~!*") if path.parent != bucket
              and not path.relative_to(bucket).parts[0].startswith("~!")]
    return found
