"""Train: labelled data to a run directory."""
