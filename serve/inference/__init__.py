"""From texts to probabilities: tokenised, queued, computed; the model and its checks."""
