"""What a training step minimises: losses over classes, regularisers, attacks on the embeddings."""
