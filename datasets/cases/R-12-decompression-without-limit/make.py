"""A zip of 1 MB whose one image is 1 GiB of zeros, and a tar.gz of 0.5 MB that is 0.5 GiB."""

import gzip
import io
import tarfile
import zipfile

with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("train/a/1.png", bytes(1 << 30))
head = io.BytesIO()
with tarfile.open(fileobj=head, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("train/a/1.png"))
with open("bomb.tar.gz", "wb") as file:
    file.write(gzip.compress(head.getvalue()[:512] + bytes(512 << 20), 9))
