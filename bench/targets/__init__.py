"""A benchmark that has targets: rows with a figure beside what it must be, and the report of them."""
