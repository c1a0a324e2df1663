"""File systems of several kinds, mounted for a test: each promise of the store is one on all."""

import shutil
import subprocess

from support import MIB, Skip, mount

# How to make each on an image of so many MiB; None where it needs no image.
KINDS = {
    "ext4": (["mkfs.ext4", "-q"], 512),
    # Times in whole seconds.
    "ext4-128": (["mkfs.ext4", "-q", "-I", "128"], 512),
    "xfs": (["mkfs.xfs", "-q"], 512),
    "btrfs": (["mkfs.btrfs", "-q"], 512),
    "tmpfs": (None, 512),
    # Without extended attributes.
    "ramfs": (None, 0),
}


def mounted(kind, folder):
    """Makes and mounts a file system at `folder`; the test's mount namespace lets go of it."""
    command, size = KINDS[kind]
    folder.mkdir()
    if command is None:
        mount("-t", kind, *(["-o", f"size={size}m"] if size else []), kind, folder)
        return
    if not shutil.which(command[0]):
        raise Skip(f"no {command[0]} here")
    image = folder.with_suffix(".image")
    with open(image, "wb") as file:
        file.truncate(size * MIB)
    subprocess.run([*command, str(image)], check=True, capture_output=True)
    mount("-o", "loop,noatime", image, folder)
