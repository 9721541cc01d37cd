"""Export through Hugging Face optimum, which runs in an environment of its own."""
