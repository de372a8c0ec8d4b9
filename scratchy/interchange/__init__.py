"""Formats that other programs read and write, one file a format. Pure: lines and values in, values and text out."""
