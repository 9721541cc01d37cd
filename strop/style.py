"""The look of the pages that are meant for people: the bench's report and the server's console."""

from importlib.resources import files

STYLE = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
"""CSS: colours by light and dark, type, tiles, tables, and the lines of charts."""
