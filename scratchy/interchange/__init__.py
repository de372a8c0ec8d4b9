"""Formats that other programs read, one file a format. Pure: messages in, text out."""
