"""Archives of strangers: whatever leads outside, grows without end or hides something is refused as a whole."""

import gzip
import io
import os
import tarfile
import zipfile

import pytest

from dojo.grading.archives import ENTRIES, ONE, Refused, files_in, shown


def everything(name):
    return True


def zip_of(path, *entries):
    """Write a zip of (name or ZipInfo, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def tar_of(path, *entries):
    """Write a tar of (name, content), or of TarInfo alone."""
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            information = tarfile.TarInfo(entry[0])
            information.size = len(entry[1])
            archive.addfile(information, io.BytesIO(entry[1]))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    information = tarfile.TarInfo(name)
    information.type, information.linkname = kind, target
    return information


def sized(name, size):
    information = tarfile.TarInfo(name)
    information.size = size
    return information


def linked(name):
    information = zipfile.ZipInfo(name)
    information.create_system, information.external_attr = 3, 0o120777 << 16
    return information


def encrypted(path):
    """A zip whose only file says that it is encrypted."""
    zip_of(path, ("causal_attention.py", b"x = 1"))
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    path.write_bytes(bytes(data))
    return path


HOSTILE = {
    "leads_out.zip": (lambda path: zip_of(path, ("../../k05.py", b"x")), "leads outside"),
    "absolute.zip": (lambda path: zip_of(path, ("/etc/k05.py", b"x")), "leads outside"),
    "backslashes.zip": (lambda path: zip_of(path, ("..\\..\\k05.py", b"x")), "leads outside"),
    "drive.zip": (lambda path: zip_of(path, ("C:\\k05.py", b"x")), "leads outside"),
    "link.zip": (lambda path: zip_of(path, (linked("k05.py"), b"/etc/passwd")), "holds a link"),
    "bomb.zip": (lambda path: zip_of(path, ("k05.py", bytes(50 << 20))), "unpacks to 52,428,800 bytes"),
    "many.zip": (lambda path: zip_of(path, *((f"{n}.py", b"") for n in range(ENTRIES + 1))), "more than"),
    "twice.zip": (lambda path: zip_of(path, ("k05.py", b"x"), ("k05.py", b"y")), "two files in it"),
    "encrypted.zip": (encrypted, "encrypted"),
    "long_name.zip": (lambda path: zip_of(path, ("k" * 10_000 + ".py", b"x")), "10,003 characters"),
    "control.zip": (lambda path: zip_of(path, ("k05\x1b[31m.py", b"x")), "control characters"),
    "large.zip": (lambda path: zip_of(path, ("k05.py", os.urandom(ONE + 1))), "has more than"),
    "no_zip.zip": (lambda path: path.write_bytes(b"PK\x03\x04 and no more") and path, "damaged"),
    "leads_out.tar.gz": (lambda path: tar_of(path, ("../k05.py", b"x")), "leads outside"),
    "link.tar.gz": (lambda path: tar_of(path, link("k05.py", "/etc/passwd")), "holds a link"),
    "hard_link.tar.gz": (lambda path: tar_of(path, link("k05.py", "/etc/passwd", tarfile.LNKTYPE)), "holds a link"),
    "device.tar.gz": (lambda path: tar_of(path, link("k05.py", "", tarfile.CHRTYPE)), "no file"),
    "bomb.tar.gz": (lambda path: tar_of(path, sized("k05.py", 300 << 20)), "unpacks to 314,572,800 bytes"),
    "longer_than_it_says.tar.gz": (lambda path: path.write_bytes(gzip.compress(b"x" * 9999)) and path, "damaged"),
    "cut.tar.gz": (
        lambda path: tar_of(path, ("k05.py", os.urandom(9999))).write_bytes(b"\x1f\x8b cut") and path,
        "it ",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_with_the_reason(tmp_path, name):
    make, reason = HOSTILE[name]
    with pytest.raises(Refused, match=reason):
        files_in(make(tmp_path / name), everything)
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is ever unpacked"


@pytest.mark.parametrize("make", [zip_of, tar_of], ids=["zip", "tar"])
def test_what_is_wanted_of_an_archive_is_read(tmp_path, make):
    path = make(
        tmp_path / ("a.zip" if make is zip_of else "a.tar.gz"), ("katas/k05.py", b"x = 1\n"), ("big.bin", b"0" * 999)
    )
    assert {str(name): text for name, text in files_in(path, lambda name: name.suffix == ".py").items()} == {
        "katas/k05.py": b"x = 1\n"
    }


def test_what_a_stranger_wrote_is_shown_on_one_line_without_control():
    assert shown("a\x1b[31m\nb\u202e") == "a [31m b "
    assert len(shown("x" * 10_000)) == 81
