"""Text into the clipboard: by the terminal itself (OSC 52, which works over ssh too), and by the system's program. And
an image out of it, by such a program."""

import base64
import os
import shutil
import subprocess

_OSC52_LIMIT = 75_000  # bytes of base64 that terminals take
_PROGRAMS = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("", ("pbcopy",)),
    ("", ("clip",)),
)
_POWERSHELL = (
    "Add-Type -AssemblyName System.Windows.Forms, System.Drawing; $i = [Windows.Forms.Clipboard]::GetImage(); "
    "if ($i) { $s = New-Object IO.MemoryStream; $i.Save($s, [Drawing.Imaging.ImageFormat]::Png); "
    "[Convert]::ToBase64String($s.ToArray()) }"
)
# What gives an image: the variable that it needs, the command, how it writes the bytes, seconds that it may take.
_IMAGE_PROGRAMS = (
    ("WAYLAND_DISPLAY", ("wl-paste", "--no-newline", "--type", "image/png"), "", 2),
    ("DISPLAY", ("xclip", "-selection", "clipboard", "-t", "image/png", "-o"), "", 2),
    ("", ("pngpaste", "-"), "", 2),
    ("", ("osascript", "-e", "get the clipboard as «class PNGf»"), "hex", 5),
    ("", ("powershell.exe", "-NoProfile", "-STA", "-Command", _POWERSHELL), "base64", 10),
)


def osc52(text: str) -> str:
    """The sequence that asks the terminal to take `text`; "" when it is too long for that."""
    data = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return f"\x1b]52;c;{data}\x07" if len(data) <= _OSC52_LIMIT else ""


def copy_by_program(text: str) -> bool:
    """Whether one of the system's programs took `text`. Over ssh none is asked: its clipboard is nobody's."""
    if "SSH_CONNECTION" in os.environ:
        return False
    for needs, command in _PROGRAMS:
        if (not needs or os.environ.get(needs)) and shutil.which(command[0]):
            try:
                quiet = subprocess.DEVNULL
                done = subprocess.run(
                    command, input=text.encode("utf-8", "replace"), stdout=quiet, stderr=quiet, timeout=2, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return True
    return False


def image_by_program() -> bytes | None:
    """The image that the clipboard holds, from the first program that gives one; None where none does. For a thread."""
    if os.environ.get("SSH_CONNECTION"):
        return None
    for needs, command, form, seconds in _IMAGE_PROGRAMS:
        if (not needs or os.environ.get(needs)) and shutil.which(command[0]):
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    timeout=seconds, check=False,
                )  # fmt: skip
                if done.returncode == 0 and (data := _bytes(done.stdout, form)):
                    return data
            except (OSError, ValueError, subprocess.TimeoutExpired):
                continue
    return None


def _bytes(told: bytes, form: str) -> bytes:
    """Raises: ValueError for what is not of that form. AppleScript writes `«data PNGf89504E…»`."""
    if form == "hex":
        return bytes.fromhex(told.partition(b"PNGf")[2].partition("»".encode())[0].decode("ascii"))
    return base64.b64decode(told) if form == "base64" else told
