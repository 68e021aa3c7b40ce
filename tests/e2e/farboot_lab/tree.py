"""The install tree on disk, as the tests compare it with what a site serves."""
import functools
import gzip
import hashlib
import os
import xml.etree.ElementTree as xml


class Tree:
    """A folder made by lab/make-tree.sh."""

    def __init__(self, folder):
        self.folder = folder
        self.iso = folder + ".iso"
        with open(folder + ".expect", encoding="ascii") as file:
            self.expect = file.read().strip()

    def read(self, path):
        with open(os.path.join(self.folder, path), "rb") as file:
            return file.read()

    @functools.cache
    def sha256(self, path):
        return hashlib.sha256(self.read(path)).hexdigest()

    def files(self):
        """Every file but isolinux.bin, which mkisofs patches on its way into the ISO."""
        found = (os.path.relpath(os.path.join(folder, name), self.folder)
                 for folder, _, names in os.walk(self.folder) for name in names)
        return sorted(path for path in found if path != "isolinux/isolinux.bin")

    def bytes(self):
        return sum(os.path.getsize(os.path.join(self.folder, path)) for path in self.files())


def packages_of(primary_gz):
    """[(path, sha256)] of a repository's primary.xml.gz."""
    space = "{http://linux.duke.edu/metadata/common}"
    root = xml.fromstring(gzip.decompress(primary_gz))
    return [(p.find(f"{space}location").get("href"), p.find(f"{space}checksum").text) for p in root.iter(f"{space}package")]


def metadata_of(repomd):
    """{type: (path, sha256)} of a repomd.xml."""
    space = "{http://linux.duke.edu/metadata/repo}"
    return {d.get("type"): (d.find(f"{space}location").get("href"), d.find(f"{space}checksum").text)
            for d in xml.fromstring(repomd).iter(f"{space}data")}
