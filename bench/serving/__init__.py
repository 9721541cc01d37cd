"""The serving benchmark: `strop serve` against its targets, in one table."""
