"""Other servers of the same model on the same box: installed, started, tuned, measured, stopped."""
