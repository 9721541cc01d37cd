"""Which versions of which models are served: where they come from, what is loaded, who gets which."""
